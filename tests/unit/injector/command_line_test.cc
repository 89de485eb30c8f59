#include "docker/injector/command_line.h"

#include <gmock/gmock.h>

namespace ocfsgw::injector {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<CommandLine> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "ocfsgw-injector");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

std::string Refusal(std::vector<const char*> arguments) {
  const auto line = Parse(std::move(arguments));
  EXPECT_TRUE(line.status().Is(StatusCode::kInvalidArgument));
  EXPECT_EQ(line.status().ToString().find('\n'), std::string::npos) << line.status().ToString();
  return line.status().ToString();
}

TEST(ParseCommandLine, Serve) {
  const auto line = Parse({"serve",
                           "--tls-cert",
                           "c",
                           "--tls-key",
                           "k",
                           "--listen",
                           "[::]:443",
                           "--image",
                           "i:1",
                           "--options",
                           "metrics=0.0.0.0:9464,ro",
                           "--ocfs2-claim",
                           "a",
                           "--ocfs2-claim",
                           "n/b",
                           "--ocfs2-path",
                           "/srv/",
                           "--native-sidecars",
                           "no",
                           "--max-body",
                           "1M",
                           "--timeout",
                           "3",
                           "--log-level",
                           "debug",
                           "--cache-size",
                           "1G"});
  ASSERT_TRUE(line.ok()) << line.status().ToString();
  EXPECT_EQ(line->command, Command::kServe);
  EXPECT_EQ(line->serve.listen, "[::]:443");
  EXPECT_EQ(line->serve.body_bytes_max, 1ULL << 20);
  EXPECT_EQ(line->serve.timeout, std::chrono::seconds(3));
  EXPECT_EQ(line->native, NativeSidecars::kNo);
  EXPECT_EQ(line->log_level, log::Level::kDebug);
  EXPECT_EQ(line->config.image, "i:1");
  EXPECT_EQ(line->config.cache_bytes, 1ULL << 30);
  EXPECT_THAT(line->config.options, ElementsAre("metrics=0.0.0.0:9464", "ro"));
  EXPECT_THAT(line->config.ocfs2_claims, ElementsAre("a", "n/b"));
  EXPECT_THAT(line->config.ocfs2_paths, ElementsAre("/srv"));
}

TEST(ParseCommandLine, TheOthers) {
  const auto bootstrap =
      Parse({"bootstrap", "--namespace", "n", "--service", "s", "--secret", "x", "--webhook", "w"});
  ASSERT_TRUE(bootstrap.ok()) << bootstrap.status().ToString();
  EXPECT_EQ(bootstrap->command, Command::kBootstrap);
  EXPECT_EQ(bootstrap->bootstrap.webhook, "w");
  const auto review = Parse({"review", "--patched", "-"});
  ASSERT_TRUE(review.ok()) << review.status().ToString();
  EXPECT_EQ(review->command, Command::kReview);
  EXPECT_TRUE(review->review.patched);
  EXPECT_EQ(review->review.file, "-");
}

TEST(ParseCommandLine, Texts) {
  EXPECT_THAT(Parse({"--help"})->text, HasSubstr("bootstrap"));
  EXPECT_THAT(Parse({"serve", "--help"})->text, HasSubstr("--tls-cert"));
  EXPECT_EQ(Parse({"--version"})->text, "ocfsgw-injector " OCFSGW_VERSION "\n");
}

TEST(ParseCommandLine, Refusals) {
  const auto serve = [](std::vector<const char*> more) {
    more.insert(more.begin(), {"serve", "--tls-cert", "c", "--tls-key", "k"});
    return Refusal(more);
  };
  EXPECT_THAT(Refusal({}), HasSubstr("subcommand"));
  EXPECT_THAT(Refusal({"mutate"}), HasSubstr("subcommand"));
  EXPECT_THAT(Refusal({"serve", "--tls-key", "k"}), HasSubstr("--tls-cert"));
  EXPECT_THAT(serve({"--listen", "8443"}), HasSubstr("--listen"));
  EXPECT_THAT(serve({"--options", "cache_dir=/x"}), HasSubstr("cache_dir"));
  EXPECT_THAT(serve({"--options", "nonsense"}), HasSubstr("--options: unknown option 'nonsense'"));
  EXPECT_THAT(serve({"--native-sidecars", "maybe"}), HasSubstr("maybe"));
  EXPECT_THAT(serve({"--mount-root", "run"}), HasSubstr("--mount-root"));
  EXPECT_THAT(serve({"--cache-root", "/a/../b"}), HasSubstr("--cache-root"));
  EXPECT_THAT(serve({"--ocfs2-path", "/"}), HasSubstr("--ocfs2-path"));
  EXPECT_THAT(serve({"--cache-size", "1M"}), HasSubstr("--cache-size"));
  EXPECT_THAT(serve({"--max-body", "1K"}), HasSubstr("--max-body"));
  EXPECT_THAT(serve({"--threads", "0"}), HasSubstr("--threads"));
  EXPECT_THAT(serve({"--log-level", "loud"}), HasSubstr("--log-level"));
  EXPECT_THAT(serve({"--image", ""}), HasSubstr("--image"));
  EXPECT_THAT(Refusal({"bootstrap", "--namespace", "n", "--service", "s"}), HasSubstr("--secret"));
  EXPECT_THAT(Refusal({"bootstrap", "--namespace", "n", "--service", "s", "--out", "d", "--secret", "x"}),
              HasSubstr("--out"));
  EXPECT_THAT(Refusal({"bootstrap", "--namespace", "n", "--service", "s", "--out", "d", "--days", "30"}),
              HasSubstr("--renew-before"));
}

}  // namespace
}  // namespace ocfsgw::injector
