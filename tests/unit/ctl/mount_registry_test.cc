#include "ctl/mount_registry.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>

#include "base/path.h"
#include "ctl/unix_socket.h"
#include "tests/unit/ctl/temp_directory.h"

namespace ocfsgw::ctl {
namespace {

class MountRegistryTest : public ::testing::Test {
 protected:
  /// A gateway that listens, for as long as the test runs.
  MountEntry Gateway(const std::string& mountpoint) {
    const std::string socket = directory_ / (HashedName(mountpoint) + ".sock");
    sockets_.push_back(BindUnixSocket(socket).value());
    EXPECT_EQ(listen(sockets_.back().get(), 8), 0);
    return {mountpoint, socket, "/source", getpid()};
  }
  std::string File(const std::string& mountpoint) { return run_ + "/" + HashedName(mountpoint) + ".json"; }

  TempDirectory directory_;
  const std::string run_ = directory_ / "run/ocfsgw";
  std::vector<UniqueFd> sockets_;
};

TEST_F(MountRegistryTest, NoMount) {
  EXPECT_TRUE(ListMounts(run_).empty());
  EXPECT_TRUE(FindMount("", run_).status().Is(StatusCode::kNotFound));
  EXPECT_EQ(FindMount("", run_).status().ToString(), "no ocfsgw mount on this machine");
  EXPECT_EQ(FindMount("/m", run_).status().ToString(), "no ocfsgw mount at /m");
}

TEST_F(MountRegistryTest, OneMountNeedsNoName) {
  const MountEntry entry = Gateway("/m/a");
  {
    const MountRegistration registration(entry, run_);
    const auto found = FindMount("", run_);
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    EXPECT_EQ(found->mountpoint, "/m/a");
    EXPECT_EQ(found->socket, entry.socket);
    EXPECT_EQ(found->source, "/source");
    EXPECT_EQ(found->pid, getpid());
    EXPECT_TRUE(FindMount("/m/./a/", run_).ok());
    EXPECT_EQ(FindMount("/m/b", run_).status().ToString(), "no ocfsgw mount at /m/b, only at /m/a");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(run_), {}), 1);
  }
  EXPECT_TRUE(std::filesystem::is_empty(run_));
}

TEST_F(MountRegistryTest, SeveralMountsNeedAName) {
  const MountRegistration second(Gateway("/m/b"), run_);
  const MountRegistration first(Gateway("/m/a"), run_);
  const Status status = FindMount("", run_).status();
  EXPECT_TRUE(status.Is(StatusCode::kInvalidArgument));
  EXPECT_EQ(status.ToString(), "several mounts, choose one with --mount: /m/a, /m/b");
  EXPECT_EQ(FindMount("/m/b", run_)->mountpoint, "/m/b");
}

TEST_F(MountRegistryTest, DeadGatewaysAreCleanedAway) {
  const pid_t child = fork();
  if (child == 0) {
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  MountEntry dead_process = Gateway("/m/dead");
  dead_process.pid = child;
  const MountRegistration first(dead_process, run_);
  const MountEntry dead_socket = Gateway("/m/deaf");
  sockets_.pop_back();
  const MountRegistration second(dead_socket, run_);
  const MountRegistration third({"/m/gone", directory_ / "absent", "/source", getpid()}, run_);
  const MountRegistration alive(Gateway("/m/alive"), run_);

  EXPECT_EQ(FindMount("", run_)->mountpoint, "/m/alive");
  EXPECT_FALSE(std::filesystem::exists(File("/m/dead")));
  EXPECT_FALSE(std::filesystem::exists(File("/m/deaf")));
  EXPECT_FALSE(std::filesystem::exists(File("/m/gone")));
  EXPECT_TRUE(std::filesystem::exists(File("/m/alive")));
}

TEST_F(MountRegistryTest, AnotherGatewayOnTheSocketOfADeadOneIsNotTakenForIt) {
  const MountEntry alive = Gateway("/m/alive");
  MountEntry dead = alive;
  dead.mountpoint = "/m/dead";
  dead.pid = getppid();  // given to another process
  const MountRegistration first(dead, run_);
  const MountRegistration second(alive, run_);
  EXPECT_EQ(FindMount("", run_)->mountpoint, "/m/alive");
  EXPECT_FALSE(std::filesystem::exists(File("/m/dead")));
}

TEST_F(MountRegistryTest, ForeignFilesAreLeftAlone) {
  std::filesystem::create_directories(run_ + "/directory.json");
  std::ofstream(run_ + "/garbage.json") << "{\"mountpoint\":5";
  std::ofstream(run_ + "/types.json") << R"({"mountpoint":5,"socket":[],"source":{},"pid":"x"})";
  std::ofstream(run_ + "/list.json") << "[]";
  std::ofstream(run_ + "/large.json") << std::string(1 << 20, ' ');
  std::ofstream(run_ + "/note") << "hello";
  EXPECT_TRUE(ListMounts(run_).empty());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(run_), {}), 6);
}

TEST_F(MountRegistryTest, SuccessorKeepsItsFile) {
  MountEntry entry = Gateway("/m/a");
  entry.pid = getppid();
  auto first = std::make_unique<MountRegistration>(entry, run_);
  entry.pid = getpid();
  const MountRegistration second(entry, run_);
  first.reset();
  EXPECT_EQ(FindMount("/m/a", run_)->pid, getpid());
}

TEST_F(MountRegistryTest, GoesOnWithoutADirectory) {
  std::ofstream(directory_ / "file") << "not a directory";
  const MountRegistration registration(Gateway("/m/a"), directory_ / "file/ocfsgw");
  EXPECT_TRUE(ListMounts(directory_ / "file/ocfsgw").empty());
}

}  // namespace
}  // namespace ocfsgw::ctl
