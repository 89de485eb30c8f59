#define FUSE_USE_VERSION 312

#include "fusefs/mount_options.h"

#include <fuse_lowlevel.h>
#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/path.h"

namespace ocfsgw::fusefs {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Result<CommandLine> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "ocfsgw");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

Result<MountOptions> ParseList(const std::string& list) {
  OCFSGW_ASSIGN_OR_RETURN(const CommandLine line, Parse({"/s/rc", "/m/nt", "-o", list.c_str()}));
  return line.options;
}

std::string Refusal(const std::string& list) {
  const Status status = ParseList(list).status();
  EXPECT_TRUE(status.Is(StatusCode::kInvalidArgument)) << list;
  EXPECT_EQ(status.ToString().find('\n'), std::string::npos) << list;
  return status.ToString();
}

TEST(ParseCommandLine, Defaults) {
  const auto line = Parse({"/s/rc", "/m/nt/"});
  ASSERT_TRUE(line.ok()) << line.status().ToString();
  const MountOptions& options = line->options;
  EXPECT_EQ(line->text, "");
  EXPECT_EQ(options.source, "/s/rc");
  EXPECT_EQ(options.mountpoint, "/m/nt");
  EXPECT_FALSE(options.foreground);
  EXPECT_FALSE(options.read_only);
  EXPECT_EQ(options.cache_dir, "/var/cache/ocfsgw/" + HashedName(std::string("/s/rc\0/m/nt", 11)));
  EXPECT_EQ(options.cache_bytes, 1ULL << 30);
  EXPECT_EQ(options.lease, LeaseMode::kAuto);
  EXPECT_EQ(options.dlmfs_dir, "/dlm");
  EXPECT_EQ(options.max_leases, 8192U);
  EXPECT_EQ(options.recall_deadline.count(), 5000);
  EXPECT_EQ(options.hold_off.count(), 500);
  EXPECT_EQ(options.lease_idle.count(), 600);
  EXPECT_EQ(options.second_access.count(), 0);
  EXPECT_FALSE(options.grace) << "the program decides";
  EXPECT_EQ(options.memory_bytes, 256ULL << 20);
  EXPECT_TRUE(options.admission);
  EXPECT_EQ(options.read_ahead_bytes, 1ULL << 20);
  EXPECT_EQ(options.metrics_address, "");
  EXPECT_EQ(options.log_file, "");
  EXPECT_EQ(options.log_level, log::Level::kInfo);
  EXPECT_THAT(options.libfuse_options, ElementsAre("fsname=/s/rc", "subtype=ocfsgw"));
}

TEST(ParseCommandLine, EveryOption) {
  const auto line = Parse(
      {"-f", "/s", "-o", "cache_dir=/c/../d,cache_size=16M,lease=o2dlm,dlmfs=/dlm2/,max_leases=1000000", "/m",
       "-omax_staleness_ms=0,recall_deadline_ms=100,lease_idle_s=0,second_access_s=86400,fcntl=node,"
       "admission=0,memory=64M,read_ahead=0,grace_s=3600",
       "-o", R"(metrics=localhost:9100,log=/l\,1,log_level=debug,ro,allow_other,fsname=a\,b)"});
  ASSERT_TRUE(line.ok()) << line.status().ToString();
  const MountOptions& options = line->options;
  EXPECT_TRUE(options.foreground);
  EXPECT_EQ(options.cache_dir, "/d");
  EXPECT_EQ(options.cache_bytes, 16ULL << 20);
  EXPECT_EQ(options.lease, LeaseMode::kO2dlm);
  EXPECT_EQ(options.dlmfs_dir, "/dlm2");
  EXPECT_EQ(options.max_leases, 1'000'000U);
  EXPECT_EQ(options.recall_deadline.count(), 100);
  EXPECT_EQ(options.lease_idle.count(), 0);
  EXPECT_EQ(options.second_access.count(), 86'400);
  EXPECT_EQ(options.grace, std::chrono::seconds(3600));
  EXPECT_EQ(options.memory_bytes, 64ULL << 20);
  EXPECT_FALSE(options.admission);
  EXPECT_EQ(options.read_ahead_bytes, 0U);
  EXPECT_EQ(options.metrics_address, "127.0.0.1:9100");
  EXPECT_EQ(options.log_file, "/l,1");
  EXPECT_EQ(options.log_level, log::Level::kDebug);
  EXPECT_TRUE(options.read_only);
  EXPECT_THAT(options.libfuse_options, ElementsAre("ro", "allow_other", R"(fsname=a\,b)", "subtype=ocfsgw"));
}

TEST(ParseCommandLine, FastTrees) {
  const auto trees = [](const std::string& option) {
    const auto options = ParseList(option);
    EXPECT_TRUE(options.ok()) << options.status().ToString();
    return options.ok() ? options->fast : std::vector<std::string>{};
  };
  EXPECT_THAT(trees("allow_other"), ElementsAre());
  EXPECT_THAT(trees("fast=/"), ElementsAre(""));
  EXPECT_THAT(trees("fast=/a"), ElementsAre("a"));
  EXPECT_THAT(trees("fast=//a//b/:/ab:/a b"), ElementsAre("a/b", "ab", "a b"));
  EXPECT_THAT(trees(R"(fast=/a\:b:/c\:,ro)"), ElementsAre("a:b", "c:"));
  EXPECT_THAT(trees(R"(fast=/a\:b:/c\,d)"), ElementsAre("a:b", "c,d"));
  EXPECT_THAT(trees("fast=/1:/2:/3:/4:/5:/6:/7:/8").size(), kFastTreesMax);
  EXPECT_TRUE(ParseList("fast=/,local_lock=flock")->local_flock);
  EXPECT_FALSE(ParseList("fast=/,local_lock=none")->local_flock);
}

TEST(ParseCommandLine, LeaseModesAndLogLevels) {
  EXPECT_EQ(ParseList("lease=auto")->lease, LeaseMode::kAuto);
  EXPECT_EQ(ParseList("lease=local")->lease, LeaseMode::kLocal);
  EXPECT_EQ(ParseList("lease=none")->lease, LeaseMode::kNone);
  EXPECT_EQ(ParseList("log_level=info")->log_level, log::Level::kInfo);
  EXPECT_EQ(ParseList("log_level=warning")->log_level, log::Level::kWarning);
  EXPECT_EQ(ParseList("log_level=error")->log_level, log::Level::kError);
}

// What mount.fuse3 3.14 was seen to pass for an fstab line with
// defaults,_netdev,nofail,noauto,nosuid,nodev,noatime,ro,x-systemd.requires=foo.mount,users,..., for no
// options at all, and for all of mount(8)'s flags.
TEST(ParseCommandLine, AcceptsWhatMountPasses) {
  EXPECT_THAT(ParseList("rw,dev,suid")->libfuse_options,
              ElementsAre("rw", "dev", "suid", "fsname=/s/rc", "subtype=ocfsgw"));
  EXPECT_TRUE(ParseList("ro,nosuid,nodev,noatime,noexec,cache_size=20G,allow_other")->read_only);
  EXPECT_THAT(ParseList("rw,nosuid,nodev,noexec,sync,dirsync,noatime,relatime,strictatime,lazytime,silent")
                  ->libfuse_options,
              ElementsAre("rw", "nosuid", "nodev", "noexec", "sync", "dirsync", "noatime", "fsname=/s/rc",
                          "subtype=ocfsgw"));
}

TEST(ParseCommandLine, IgnoresWhatIsForMountOnly) {
  const auto options = ParseList(
      "defaults,auto,noauto,nofail,_netdev,user,user=joe,users,nouser,owner,group,comment=x,comment=y,"
      "x-systemd.automount,x-a=1,X-mount.mkdir,nodiratime,relatime,norelatime,nolazytime,loud");
  ASSERT_TRUE(options.ok()) << options.status().ToString();
  EXPECT_THAT(options->libfuse_options, ElementsAre("fsname=/s/rc", "subtype=ocfsgw"));
}

TEST(ParseCommandLine, LibfuseAcceptsWhatItIsTold) {
  for (const char* list : {"rw,dev,suid,exec,async,atime,allow_other,default_permissions,auto_unmount",
                           "ro,nodev,nosuid,noexec,sync,dirsync,noatime", R"(fsname=a\,b\\c,subtype=x)"}) {
    const auto options = ParseList(list);
    ASSERT_TRUE(options.ok()) << options.status().ToString();
    fuse_args args = FUSE_ARGS_INIT(0, nullptr);
    fuse_opt_add_arg(&args, "ocfsgw");
    for (const std::string& option : options->libfuse_options) {
      fuse_opt_add_arg(&args, "-o");
      fuse_opt_add_arg(&args, option.c_str());
    }
    const fuse_lowlevel_ops operations{};
    fuse_session* session = fuse_session_new(&args, &operations, sizeof(operations), nullptr);
    EXPECT_NE(session, nullptr) << list;
    if (session != nullptr) {
      fuse_session_destroy(session);
    }
    fuse_opt_free_args(&args);
  }
}

TEST(ParseCommandLine, SameOptionTwiceIsOne) {
  EXPECT_EQ(ParseList("cache_size=2G,ro,cache_size=2G,ro")->cache_bytes, 2ULL << 30);
  EXPECT_THAT(ParseList("ro,ro")->libfuse_options, ElementsAre("ro", "fsname=/s/rc", "subtype=ocfsgw"));
}

TEST(ParseCommandLine, RefusesEachWithItsLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"remount,ro", "remount is not supported: unmount and mount again"},
      {"cach_size=1G", "unknown option 'cach_size=1G': ocfsgw --help lists what is allowed"},
      {"=", "unknown option '=': ocfsgw --help lists what is allowed"},
      {"nonempty", "unknown option 'nonempty': ocfsgw --help lists what is allowed"},
      {"nosymfollow", "unknown option 'nosymfollow': ocfsgw --help lists what is allowed"},
      {"uid=3", "unknown option 'uid=3': ocfsgw --help lists what is allowed"},
      {"ro=1", "ro=1: ro takes no value"},
      {"cache_size", "cache_size needs a value: cache_size=SIZE"},
      {"lease", "lease needs a value: lease=auto|o2dlm|local|none"},
      {"fsname", "fsname needs a value: fsname=NAME"},
      {"cache_dir=", "cache_dir= needs a path"},
      {"dlmfs=", "dlmfs= needs a path"},
      {"log=", "log= needs a path"},
      {"cache_size=15M", "cache_size=15M: too small, the least is 16M"},
      {"cache_size=1X",
       "cache_size=1X: not a size (a whole number of bytes, or one with K, M, G or T behind it)"},
      {"memory=63M", "memory=63M: too small, the least is 64M"},
      {"memory=1025G", "memory=1025G: too large, the most is 1024G"},
      {"memory=many",
       "memory=many: not a size (a whole number of bytes, or one with K, M, G or T behind it)"},
      {"lease=nfs", "lease=nfs: not one of auto, o2dlm, local, none"},
      {"max_leases=0", "max_leases=0: not a whole number from 1 to 1000000"},
      {"max_leases=1000001", "max_leases=1000001: not a whole number from 1 to 1000000"},
      {"recall_deadline_ms=99", "recall_deadline_ms=99: not a whole number from 100 to 600000"},
      {"hold_off_ms=9", "hold_off_ms=9: not a whole number from 10 to 60000"},
      {"recall_deadline_ms=600001", "recall_deadline_ms=600001: not a whole number from 100 to 600000"},
      {"max_staleness_ms=600001", "max_staleness_ms=600001: not a whole number from 0 to 600000"},
      {"lease_idle_s=86401", "lease_idle_s=86401: not a whole number from 0 to 86400"},
      {"grace_s=3601", "grace_s=3601: not a whole number from 0 to 3600"},
      {"second_access_s=1s", "second_access_s=1s: not a whole number from 0 to 86400"},
      {"fcntl=all", "fcntl=all: not one of node, cluster"},
      {"fcntl=cluster,lease=none",
       "fcntl=cluster needs the lock manager of OCFS2: use lease=o2dlm or lease=auto with it"},
      {"fcntl=cluster,lease=local",
       "fcntl=cluster needs the lock manager of OCFS2: use lease=o2dlm or lease=auto with it"},
      {"fast=sub", "fast=sub: 'sub' does not begin with a slash: paths are those of SOURCE, which is /"},
      {"fast=/a/../b", "fast=/a/../b: '..' must not be in it"},
      {"fast=/a:/b:/a/c", "fast=/a:/b:/a/c: /a and /a/c are within one another: give the outer one"},
      {"fast=/:/a", "fast=/:/a: / and /a are within one another: give the outer one"},
      {"fast=/1:/2:/3:/4:/5:/6:/7:/8:/9", "fast=/1:/2:/3:/4:/5:/6:/7:/8:/9: more than 8 trees"},
      {"fast=/,fcntl=cluster",
       "fcntl=cluster and fast= contradict each other: the locks of a fast tree hold on this node only; give "
       "one "
       "of them"},
      {"fast=/,lease=none", "fast= means nothing with lease=none: leave one of them out"},
      {"local_lock=flock", "local_lock= is about fast trees: give fast= with it"},
      {"fast=/,local_lock=all", "local_lock=all: not one of none, flock"},
      {"metrics=9100", "metrics=9100: not ADDR:PORT with an IPv4 address, an [IPv6] address or localhost"},
      {"metrics=0.0.0.0:0", "metrics=0.0.0.0:0: the port is not a whole number from 1 to 65535"},
      {"log_level=trace", "log_level=trace: not one of debug, info, warning, error"},
      {"cache_size=1G,cache_size=1024M", "cache_size= is given twice, as 1G and as 1024M: give it once"},
      {"fsname=a,fsname=b", "fsname= is given twice, as a and as b: give it once"},
      {"ro,rw", "ro and rw contradict each other: give one of them"},
      {"nodev,dev", "nodev and dev contradict each other: give one of them"},
      {"suid,nosuid", "suid and nosuid contradict each other: give one of them"},
      {"exec,noexec", "exec and noexec contradict each other: give one of them"},
      {"sync,async", "sync and async contradict each other: give one of them"},
      {"atime,noatime", "atime and noatime contradict each other: give one of them"},
      {"lease=none,max_leases=5", "max_leases= means nothing with lease=none: leave one of them out"},
      {"cache_size=1G,lease=none", "cache_size= means nothing with lease=none: leave one of them out"},
      {"lease=none,memory=1G", "memory= means nothing with lease=none: leave one of them out"},
      {"admission=0,lease=none", "admission= means nothing with lease=none: leave one of them out"},
      {"admission=2", "admission=2: not a whole number from 0 to 1"},
      {"lease=none,dlmfs=/d", "dlmfs= means nothing with lease=none: leave one of them out"},
      {"lease=none,recall_deadline_ms=500",
       "recall_deadline_ms= means nothing with lease=none: leave one of them out"},
      {"lease=local,dlmfs=/d", "dlmfs= means nothing with lease=local: leave one of them out"},
      {"cache_dir=/s/rc/cache", "cache_dir=/s/rc/cache: inside /s/rc, it has to be elsewhere"},
      {"cache_dir=/m/nt", "cache_dir=/m/nt: inside /m/nt, it has to be elsewhere"},
      {"log=/m/nt/log", "log=/m/nt/log: inside /m/nt, it has to be elsewhere"},
      {"a\\b", "-o a\\b: a backslash stands only before a comma, a colon or a backslash"},
  };
  for (const auto& [list, line] : cases) {
    EXPECT_EQ(Refusal(list), line);
  }
  EXPECT_TRUE(ParseList("cache_dir=/s/rc2").ok());
}

TEST(ParseCommandLine, RefusesBadLines) {
  const auto refusal = [](std::vector<const char*> arguments) {
    return Parse(std::move(arguments)).status().ToString();
  };
  EXPECT_EQ(refusal({}), "SOURCE and MOUNTPOINT are needed (ocfsgw --help shows how)");
  EXPECT_EQ(refusal({"/s"}), "SOURCE and MOUNTPOINT are needed (ocfsgw --help shows how)");
  EXPECT_EQ(refusal({"", "/m"}), "SOURCE and MOUNTPOINT are needed (ocfsgw --help shows how)");
  EXPECT_THAT(refusal({"/s", "/m", "/x"}), HasSubstr("(ocfsgw --help shows how)"));
  EXPECT_THAT(refusal({"/s", "/m", "-o"}), HasSubstr("(ocfsgw --help shows how)"));
  EXPECT_THAT(refusal({"/s", "/m", "-d"}), HasSubstr("(ocfsgw --help shows how)"));
  EXPECT_EQ(refusal({"/s", "/dev/fd/3"}),
            "drop_privileges is not supported: the gateway needs its privileges");
  EXPECT_THAT(refusal({"/s", "/m", "-o", "ro", "-o", "rw"}), StartsWith("ro and rw contradict"));
}

TEST(ParseCommandLine, PathsWithBracketsAndBlanks) {
  const auto line = Parse({"[a,b]", "/m n/[x]", "-o", "log=/[l]"});
  ASSERT_TRUE(line.ok()) << line.status().ToString();
  EXPECT_EQ(line->options.source, std::filesystem::current_path().native() + "/[a,b]");
  EXPECT_EQ(line->options.mountpoint, "/m n/[x]");
  EXPECT_EQ(line->options.log_file, "/[l]");
}

TEST(ParseCommandLine, CanonicalPaths) {
  char name[] = "/tmp/mount_options_test.XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::filesystem::path directory = std::filesystem::canonical(name);
  std::filesystem::create_directory(directory / "real");
  std::filesystem::create_symlink("real", directory / "link");
  const std::string source = directory / "link";
  const std::string mountpoint = directory / "." / "absent" / "deep/";
  const auto line = Parse({source.c_str(), mountpoint.c_str()});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->options.source, directory / "real");
  EXPECT_EQ(line->options.mountpoint, directory / "absent/deep");
  std::filesystem::remove_all(directory);
}

TEST(ParseCommandLine, HelpAndVersion) {
  EXPECT_EQ(Parse({"-V"})->text, "ocfsgw " OCFSGW_VERSION "\n");
  EXPECT_EQ(Parse({"--version"})->text, Parse({"-V"})->text);
  const auto help = Parse({"-h"});
  ASSERT_TRUE(help.ok());
  EXPECT_EQ(help->text, Parse({"--help", "/s"})->text);
  EXPECT_THAT(help->text, HasSubstr("  cache_size=SIZE\n"));
  EXPECT_THAT(help->text, HasSubstr("lease=auto|o2dlm|local|none\n"));
}

std::string Document(const std::string& name) {
  std::ifstream file(OCFSGW_SOURCE_DIR "/docs/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Both are printed to be pasted when they are not there.
TEST(OptionsMarkdown, IsInTheManual) {
  EXPECT_THAT(Document("OPERATIONS.md"), HasSubstr("\n\n" + OptionsMarkdown() + "\n"));
}

TEST(OptionsMan, IsInTheManualPage) {
  EXPECT_THAT(Document("man/ocfsgw.8"), HasSubstr("\n.Bl -tag -width Ds\n" + OptionsMan() + ".El\n"));
}

}  // namespace
}  // namespace ocfsgw::fusefs
