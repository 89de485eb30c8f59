#include "bench/strace_parser.h"

#include <gmock/gmock.h>

#include <atomic>

#include "bench/strace_import.h"
#include "bench/trace_parser.h"

namespace ocfsgw::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Parsed {
  std::vector<std::string> requests;  ///< "time path" or "time path offset bytes"
  StraceCounts counts;
};

Parsed Parse(std::string_view text, size_t piece_bytes = 1 << 20) {
  Parsed parsed;
  StraceParser parser([&](const StraceRequest& r) {
    std::string line = std::string(r.time) + " " + std::string(r.path);
    if (r.kind == StraceRequest::Kind::kRead) {
      line += " " + std::to_string(r.offset) + " " + std::to_string(r.bytes);
    }
    parsed.requests.push_back(std::move(line));
    return Status::Ok();
  });
  for (size_t at = 0; at < text.size(); at += piece_bytes) {
    EXPECT_TRUE(parser.Feed(text.substr(at, piece_bytes)).ok());
  }
  EXPECT_TRUE(parser.Finish().ok());
  parsed.counts = parser.counts();
  return parsed;
}

constexpr std::string_view kWithPaths =
    R"(100 1700000000.5 openat(AT_FDCWD</srv/www>, "a/x y,z>q", O_RDONLY|O_CLOEXEC) = 3</srv/www/a/x y,z\76q>
100 1700000000.6 newfstatat(3</srv/www/a/x y,z\76q>, "", {st_mode=S_IFREG|0644, st_size=3, ...}, AT_EMPTY_PATH) = 0
100 1700000000.7 read(3</srv/www/a/x y,z\76q>, "a\")<b,\n"..., 4096) = 4096 <0.000018>
100 1700000000.8 read(3</srv/www/a/x y,z\76q>, "", 4096)     = 0
100 1700000000.9 pread64(3</srv/www/a/x y,z\76q>, "..."..., 512, 1048576) = 512
100 1700000001.0 lseek(3</srv/www/a/x y,z\76q>, 10, SEEK_SET) = 10
100 1700000001.1 read(3</srv/www/a/x y,z\76q>, "..."..., 5) = 5
100 1700000001.2 close(3</srv/www/a/x y,z\76q>)        = 0
100 1700000001.3 lstat("/srv/none", 0x7ffd) = -1 ENOENT (No such file or directory)
100 1700000001.4 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---
100 1700000001.5 +++ exited with 0 +++
)";

TEST(StraceParser, PathsInTheLines) {
  for (const size_t piece : {1, 7, 100'000}) {
    const Parsed parsed = Parse(kWithPaths, piece);
    EXPECT_THAT(parsed.requests,
                ElementsAre("1700000000.5 /srv/www/a/x y,z>q", "1700000000.7 /srv/www/a/x y,z>q 0 4096",
                            "1700000000.9 /srv/www/a/x y,z>q 1048576 512",
                            "1700000001.1 /srv/www/a/x y,z>q 10 5", "1700000001.3 /srv/none"));
    EXPECT_EQ(parsed.counts.lines, 11U);
    EXPECT_EQ(parsed.counts.names, 2U);
    EXPECT_EQ(parsed.counts.reads, 3U);
    EXPECT_EQ(parsed.counts.malformed, 0U);
  }
}

TEST(StraceParser, PathsOfWhatWasOpened) {
  const Parsed parsed = Parse(
      "[pid 7] openat(AT_FDCWD, \"a\", O_RDONLY) = 3\n"
      "[pid  8] open(\"b\", O_RDONLY) = 3\n"
      "[pid 7] read(3, \"x\", 10) = 1\n"
      "[pid  8] read(3, \"x\", 10) = 2\n"
      "[pid 7] read(3, \"x\", 10) = 1\n"
      "[pid 7] close(3) = 0\n"
      "[pid 7] read(3, \"x\", 10) = 1\n"
      "[pid 7] read(0<pipe:[12]>, \"x\", 10) = 1\n"
      "[pid 7] openat(AT_FDCWD, \"c\", O_RDONLY) = -1 ENOENT (No such file or directory)\n");
  EXPECT_THAT(parsed.requests, ElementsAre(" a", " b", " a 0 1", " b 0 2", " a 1 1", " c"));
  EXPECT_EQ(parsed.counts.unknown, 2U);
  EXPECT_EQ(parsed.counts.malformed, 0U);
}

TEST(StraceParser, UnfinishedCallsAreJoinedByProcess) {
  const Parsed parsed = Parse(
      "1 read(3</a>,  <unfinished ...>\n"
      "2 5.25 openat(AT_FDCWD</>, \"b\", O_RDONLY <unfinished ...>\n"
      "1 <... read resumed>\"x\", 10) = 10\n"
      "2 5.75 <... openat resumed>)             = 3</b>\n"
      "2 read(3</b>, \"y\", 10) = 1\n");
  EXPECT_THAT(parsed.requests, ElementsAre(" /a 0 10", "5.25 /b", " /b 0 1"));
  EXPECT_EQ(parsed.counts.malformed, 0U);
}

TEST(StraceParser, OtherFormsOfTheSame) {
  const Parsed parsed = Parse(
      "12:34:56.789 stat(\"/t\", {st_mode=S_IFREG|0644, st_size=3, ...}) = 0\n"
      "9 12:34:56 access(\"/u\", R_OK) = 0\r\n"
      "execve(\"/bin/cat\", [\"cat\"], 0x7ffc /* 10 vars */) = 0\n"
      "statx(4</d>, \"e\", AT_STATX_SYNC_AS_STAT, STATX_ALL, {stx_mask=STATX_ALL, ...}) = 0\n"
      "read(5</dev/pts/0<char 136:0>>, \"x\", 1) = 1\n"
      "readv(6</f>, [{iov_base=\"a)\", iov_len=2}, {iov_base=\"b\", iov_len=9}], 2) = 3\n"
      "preadv2(6</f>, [{iov_base=\"a\", iov_len=2}], 1, 4096, RWF_HIPRI) = 2\n"
      "stat(\"\\303\\244\\t\\x41\\\"\\\\\", 0x1) = 0\n"
      "openat2(AT_FDCWD</d>, \"n\", {flags=O_RDONLY, resolve=0}, 24) = 3</d/n>\n"
      "read(3</d/n>, 0x7ffd, 10) = -1 EINTR (Interrupted system call)\n"
      "read(3</d/n>, 0x7ffd, 10) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n"
      "stat(NULL, 0x1) = -1 EFAULT (Bad address)\n"
      "\n"
      "stat(\"/last\", 0x1) = 0");
  EXPECT_THAT(parsed.requests, ElementsAre(" /t", " /u", " /d/e", " /dev/pts/0 0 1", " /f 0 3", " /f 4096 2",
                                           " \xc3\xa4\tA\"\\", " /d/n", " /last"));
  EXPECT_EQ(parsed.counts.malformed, 0U);
}

TEST(StraceParser, MalformedLinesAreCountedAndTheirNumbersShown) {
  const Parsed parsed = Parse(
      "stat(\"/good\", 0x1) = 0\n"
      "hello world\n"
      "read(3</a>, \"x\n"
      "1 <... read resumed>\"x\", 10) = 10\n"
      "pread64(3</a>, \"x\", 10) = 10\n"
      "stat(\"/also good\", 0x1) = 0\n"
      "stat(\"/no end\", 0x1)\n"
      "pread64(3</a>, \"x\", 10, 18446744073709551615) = 10\n"
      "4 read(3</a>,  <unfinished ...>\n");
  EXPECT_THAT(parsed.requests, ElementsAre(" /good", " /also good"));
  EXPECT_EQ(parsed.counts.malformed, 7U);
  EXPECT_THAT(parsed.counts.first_malformed,
              ElementsAre("line 2: no system call: 'hello world'",
                          "line 3: a call without its end: 'read(3</a>, \"x'",
                          "line 4: resumes no call: '1 <... read resumed>\"x\", 10) = 10'",
                          "line 5: pread64 without an offset",
                          "line 7: a call without its end: 'stat(\"/no end\", 0x1)'"));
}

TEST(StraceParser, AnUnfinishedCallThatIsNeverResumed) {
  const Parsed parsed = Parse("4 read(3</a>,  <unfinished ...>\n4 read(3</a>, \"x\", 1) = 1\n");
  EXPECT_THAT(parsed.requests, ElementsAre(" /a 0 1"));
  EXPECT_THAT(parsed.counts.first_malformed, ElementsAre("line 1: a call that is not resumed"));
}

TEST(StraceParser, ALineThatIsTooLong) {
  const std::string text = std::string(StraceParser::kLineBytesMax + 1, 'x') + "\nstat(\"/a\", 0x1) = 0\n";
  for (const size_t piece : {1000, 1 << 20}) {
    const Parsed parsed = Parse(text, piece);
    EXPECT_THAT(parsed.requests, ElementsAre(" /a"));
    EXPECT_THAT(parsed.counts.first_malformed, ElementsAre("line 1: longer than 65536 bytes"));
  }
}

TEST(StraceParser, UnfinishedCallsAreBounded) {
  std::string text;
  for (size_t pid = 1; pid <= StraceParser::kCallsMax + 1; ++pid) {
    text += std::to_string(pid) + " read(3</a>,  <unfinished ...>\n";
  }
  text += std::to_string(StraceParser::kCallsMax + 1) + " <... read resumed>\"x\", 10) = 10\n";
  const Parsed parsed = Parse(text);
  EXPECT_THAT(parsed.requests, ElementsAre(" /a 0 10"));
  EXPECT_EQ(parsed.counts.malformed, StraceParser::kCallsMax);
}

std::string Import(const StraceImportOptions& options) {
  std::string out;
  StraceImport import(options, out);
  StraceParser parser([&](const StraceRequest& request) { return import.Take(request); });
  EXPECT_TRUE(parser.Feed(kWithPaths).ok());
  EXPECT_TRUE(parser.Finish().ok());
  return out;
}

TEST(StraceImport, BlocksAndPaths) {
  EXPECT_EQ(Import({}),
            "1700000000.7,/srv/www/a/x%20y%2Cz>q#0,131072\n"
            "1700000000.9,/srv/www/a/x%20y%2Cz>q#8,131072\n"
            "1700000001.1,/srv/www/a/x%20y%2Cz>q#0,131072\n");
  EXPECT_EQ(Import({.objects = StraceImportOptions::Objects::kPaths}),
            "1700000000.5,/srv/www/a/x%20y%2Cz>q,0\n"
            "1700000001.3,/srv/none,0\n");
}

TEST(StraceImport, ABlockIsTouchedByEachReadThatCoversPartOfIt) {
  std::string out;
  StraceImport import({.block_bytes = 1000}, out);
  EXPECT_TRUE(import.Take({StraceRequest::Kind::kRead, "", "/a", 999, 1002}).ok());
  EXPECT_TRUE(import.Take({StraceRequest::Kind::kRead, "1.2.3", "/a", 2000, 1000}).ok());
  EXPECT_EQ(out, "1,/a#0,1000\n2,/a#1,1000\n3,/a#2,1000\n4,/a#2,1000\n");
  EXPECT_EQ(import.requests(), 4U);
  EXPECT_TRUE(import.Take({StraceRequest::Kind::kRead, "", "/a", 0, uint64_t{1} << 62})
                  .Is(StatusCode::kInvalidArgument));
}

/// Whatever a path is, and in both formats.
TEST(StraceImport, ReplayReadsIt) {
  for (const TraceFormat format : {TraceFormat::kCsv, TraceFormat::kIds}) {
    std::string out;
    StraceImport import({.format = format}, out);
    for (const std::string& path : {std::string("/a"), std::string("1,2\n%"), std::string(5000, 'x'),
                                    std::string("/a"), std::string("/b")}) {
      EXPECT_TRUE(import.Take({StraceRequest::Kind::kRead, "1.5", path, 0, 1}).ok());
    }
    TraceParser parser(format);
    ASSERT_TRUE(parser.Feed(out).ok());
    const auto trace = parser.Finish();
    ASSERT_TRUE(trace.ok()) << trace.status().ToString();
    EXPECT_THAT(trace->requests, ElementsAre(0, 1, 2, 0, 3));
  }
}

}  // namespace
}  // namespace ocfsgw::bench
