// What the gateway refuses to mount: the exit status, and exactly one line on stderr.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

class Refusals : public MountTest {
 protected:
  void ExpectRefused(const Outcome& outcome, int exit_code, const std::string& part_of_message) {
    EXPECT_EQ(outcome.exit_code, exit_code);
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_TRUE(outcome.err.starts_with("ocfsgw: ")) << outcome.err;
    EXPECT_NE(outcome.err.find(part_of_message), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_FALSE(gateway_.mounted());
    EXPECT_EQ(gateway_.pid(), 0);
    EXPECT_EQ(gateway_.guardian(), 0);
  }
  Outcome Mounting(const std::string& source, const std::string& mountpoint) {
    return RunProgram({GatewayMount::Program(), source, mountpoint, "-o", gateway_.Options()});
  }
};

TEST_F(Refusals, Usage) {
  static constexpr std::pair<const char*, const char*> kCases[] = {
      {"no_such_option", "no_such_option"},
      {"no_such_option=1", "no_such_option"},
      {"cache_size=12x", "cache_size=12x"},
      {"cache_size=1K", "cache_size=1K"},
      {"cache_size=", "cache_size"},
      {"max_leases=0", "max_leases=0"},
      {"recall_deadline_ms=soon", "recall_deadline_ms=soon"},
      {"lease=none", "lease= is given twice"},
      {"metrics=nowhere", "metrics=nowhere"},
      {"fast=sub", "fast=sub: 'sub' does not begin with a slash"},
      {"fast=/no/such", "fast=/no/such: no in "},
      {"fast=/,fcntl=cluster,lease=o2dlm", "lease= is given twice"},
      {"remount", "remount"},
      {"ro,rw", "contradict"},
      {"ro=1", "ro=1"},
      {"guardian=2", "guardian=2"},
      {"max_staleness_ms=-1", "max_staleness_ms=-1"},
  };
  for (const auto& [option, message] : kCases) {
    SCOPED_TRACE(option);
    ExpectRefused(gateway_.Mounting(gateway_.Options(option)), 1, message);
  }
}

TEST_F(Refusals, CommandLine) {
  const std::string program = GatewayMount::Program();
  ExpectRefused(RunProgram({program}), 1, "SOURCE and MOUNTPOINT");
  ExpectRefused(RunProgram({program, gateway_.Source()}), 1, "SOURCE and MOUNTPOINT");
  ExpectRefused(RunProgram({program, gateway_.Source(), gateway_.Mount(), "third"}), 1, "third");
  ExpectRefused(RunProgram({program, gateway_.Source(), gateway_.Mount(), "--no-such-flag"}), 1,
                "--no-such-flag");
}

TEST_F(Refusals, OptionsThatCannotBe) {
  ExpectRefused(gateway_.Mounting("lease=local,cache_dir=" + gateway_.Source("cache")), 1, "cache_dir=");
  ExpectRefused(gateway_.Mounting("lease=sometimes"), 1, "lease=sometimes");
}

TEST_F(Refusals, LocksAcrossNodesWithoutACluster) {
  for (const char* lease : {"none", "local"}) {
    ExpectRefused(gateway_.Mounting(std::string("fcntl=cluster,lease=") + lease), 1,
                  "fcntl=cluster needs the lock manager of OCFS2");
  }
  const Outcome outcome = gateway_.Mounting("fcntl=cluster,lease=auto,cache_dir=" + gateway_.cache_dir());
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err.find("ocfsgw: fcntl=cluster needs OCFS2 and its lock manager"), std::string::npos)
      << outcome.err;
  EXPECT_FALSE(gateway_.mounted());
}

TEST_F(Refusals, SourceMissing) {
  ExpectRefused(Mounting(gateway_.Beside("missing"), gateway_.Mount()), 2, gateway_.Beside("missing"));
}

TEST_F(Refusals, SourceIsAFile) {
  ASSERT_TRUE(WriteFile(gateway_.Beside("file"), ""));
  ExpectRefused(Mounting(gateway_.Beside("file"), gateway_.Mount()), 2, gateway_.Beside("file"));
}

TEST_F(Refusals, MountPointMissing) {
  ExpectRefused(Mounting(gateway_.Source(), gateway_.Mount("missing")), 3, gateway_.Mount("missing"));
}

TEST_F(Refusals, MountPointIsAFile) {
  gateway_.set_mountpoint(gateway_.Beside("file"));
  ASSERT_TRUE(WriteFile(gateway_.Mount(), ""));
  ExpectRefused(Mounting(gateway_.Source(), gateway_.Mount()), 3, gateway_.Mount());
}

TEST_F(Refusals, MetricsPortTaken) {
  const Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  const std::string option = "metrics=127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  ExpectRefused(gateway_.Mounting(gateway_.Options(option)), 1, option);
}

TEST_F(Refusals, TooFewDescriptors) {
  for (const char* limit : {"8", "32", "127"}) {
    SCOPED_TRACE(limit);
    ExpectRefused(RunProgram({"prlimit", std::string("--nofile=") + limit, GatewayMount::Program(),
                              gateway_.Source(), gateway_.Mount(), "-o", gateway_.Options()}),
                  1, std::string("the limit of open files is ") + limit);
  }
  const Outcome enough = RunProgram({"prlimit", "--nofile=128", GatewayMount::Program(), gateway_.Source(),
                                     gateway_.Mount(), "-o", gateway_.Options()});
  EXPECT_EQ(enough.exit_code, 0) << enough.err;
  EXPECT_TRUE(WriteFile(gateway_.Source("f"), "x"));
  EXPECT_EQ(ReadFile(gateway_.Mount("f")), "x");
  EXPECT_EQ(gateway_.Ctl("status")["store"]["degraded"], false);
}

TEST_F(Refusals, LogFileCannotBeOpened) {
  ExpectRefused(gateway_.Mounting(gateway_.Options("log=" + gateway_.cache_dir())), 1, gateway_.cache_dir());
}

TEST_F(Refusals, AllSlotsOfTheCacheDirectoryTaken) {
  std::vector<std::unique_ptr<Descriptor>> locks;
  for (int slot = 0; slot < 64; ++slot) {
    const std::string path = gateway_.cache_dir() + "/" + std::to_string(slot);
    std::filesystem::create_directory(path);
    locks.push_back(std::make_unique<Descriptor>(
        open((path + "/store.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)));
    ASSERT_EQ(flock(locks.back()->get(), LOCK_EX | LOCK_NB), 0);
  }
  ExpectRefused(gateway_.Mounting(gateway_.Options()), 1,
                "all 64 slots of the cache directory " + gateway_.cache_dir() +
                    " are in use: give this mount another one");
  locks.pop_back();
  ASSERT_TRUE(gateway_.Start());
  EXPECT_EQ(gateway_.Ctl("status").value("cache_slot", ""), gateway_.cache_dir() + "/63");
}

}  // namespace
}  // namespace ocfsgw::mounttest
