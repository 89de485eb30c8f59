// What the table of tests/injector does not show: operations themselves, sizes that follow from one another.
#include "docker/injector/pod_patch.h"

#include <gmock/gmock.h>

#include "docker/injector/mount_plan.h"
#include "docker/injector/names.h"
#include "fusefs/mount_options.h"

namespace ocfsgw::injector {
namespace {

using ::testing::HasSubstr;

constexpr std::chrono::seconds kGrace{30};

SidecarWish WishOf(const Json& annotations) {
  const auto wish = ParseAnnotations({{"metadata", {{"annotations", annotations}}}});
  EXPECT_TRUE(wish.ok()) << wish.status().ToString();
  return *wish;
}

/// What ocfsgw makes of the options of a plan.
fusefs::MountOptions Parsed(const MountPlan& plan) {
  const char* argv[] = {"ocfsgw", "/ocfsgw/source", "/ocfsgw/pod/mount", "-f", "-o", plan.options.c_str()};
  const auto parsed = fusefs::ParseCommandLine(std::size(argv), argv);
  EXPECT_TRUE(parsed.ok()) << plan.options << ": " << parsed.status().ToString();
  return parsed->options;
}

TEST(PlanMount, SizesFitTheLimits) {
  for (const uint64_t mebibytes : {160, 161, 192, 256, 300, 512, 1000, 4096, 1'000'000, 4'000'000}) {
    const std::string limit = std::to_string(mebibytes) + "Mi";
    const auto plan =
        PlanMount("v", false, kGrace, WishOf({{kMemoryLimit, limit}, {kEphemeralLimit, limit}}), {});
    ASSERT_TRUE(plan.ok()) << plan.status().ToString();
    const fusefs::MountOptions options = Parsed(*plan);
    EXPECT_GE(options.memory_bytes, 64ULL << 20);
    EXPECT_LE(options.memory_bytes + (96ULL << 20), mebibytes << 20);
    EXPECT_LE(options.cache_bytes, (mebibytes << 20) / 5 * 4);
    EXPECT_GE(options.cache_bytes + (2ULL << 20), (mebibytes << 20) / 5 * 4);
    EXPECT_EQ(options.cache_bytes, plan->cache_bytes);
  }
  EXPECT_FALSE(PlanMount("v", false, kGrace, WishOf({{kMemoryLimit, "159Mi"}}), {}).ok());
  EXPECT_FALSE(PlanMount("v", false, kGrace, WishOf({{kEphemeralLimit, "19Mi"}}), {}).ok());
  EXPECT_TRUE(PlanMount("v", false, kGrace, WishOf({{kEphemeralLimit, "20Mi"}}), {}).ok());
}

TEST(PlanMount, EveryLeaseGivesOptionsThatOcfsgwTakes) {
  for (const char* lease : {"auto", "o2dlm", "local", "none"}) {
    for (const bool read_only : {false, true}) {
      const auto plan =
          PlanMount("v", read_only, kGrace, WishOf({{kOptions, std::string("lease=") + lease}}), {});
      ASSERT_TRUE(plan.ok()) << plan.status().ToString();
      const fusefs::MountOptions options = Parsed(*plan);
      EXPECT_EQ(options.cache_dir, kCachePath);
      EXPECT_EQ(options.read_only, read_only);
      EXPECT_EQ(plan->dlmfs, options.dlmfs_dir == kDlmPath);
    }
  }
}

TEST(PlanMount, ThePodsOptionsGoBeforeTheOperators) {
  InjectorConfig config;
  config.options = {"hold_off_ms=1000", "ro", "max_leases=100"};
  const auto plan = PlanMount("v", true, kGrace, WishOf({{kOptions, "hold_off_ms=50,rw"}}), config);
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  const fusefs::MountOptions options = Parsed(*plan);
  EXPECT_EQ(options.hold_off, std::chrono::milliseconds(50));
  EXPECT_EQ(options.max_leases, 100u);
  EXPECT_FALSE(options.read_only);
  EXPECT_TRUE(options.fast.empty());
}

TEST(PlanMount, ClassicSidecarsWaitForTheApplications) {
  InjectorConfig classic;
  classic.native_sidecars = false;
  const auto plan = [](std::chrono::seconds grace, const std::string& options, const InjectorConfig& config) {
    return *PlanMount("v", false, grace, WishOf({{kOptions, options}}), config);
  };
  EXPECT_EQ(Parsed(plan(kGrace, "", {})).grace, std::nullopt);
  EXPECT_EQ(plan(kGrace, "", {}).stop_time, std::chrono::seconds(30));
  EXPECT_EQ(Parsed(plan(kGrace, "", classic)).grace, std::chrono::seconds(55));
  EXPECT_EQ(Parsed(plan(std::chrono::hours(24), "", classic)).grace, std::chrono::hours(1));
  EXPECT_EQ(Parsed(plan(kGrace, "grace_s=7", classic)).grace, std::chrono::seconds(7));
  EXPECT_EQ(plan(kGrace, "grace_s=60", {}).stop_time, std::chrono::seconds(65));
  EXPECT_EQ(plan(kGrace, "recall_deadline_ms=60001", {}).stop_time, std::chrono::seconds(71));
}

TEST(PatchPod, DoesNotLookAtPodsThatDoNotAsk) {
  const IdSource no_id = []() -> std::string { throw std::runtime_error("asked for an id"); };
  for (const Json& pod :
       {Json(), Json(5), Json::array(), Json::object(), Json({{"metadata", 5}}),
        Json({{"metadata", {{"annotations", {"ocfsgw.io/inject"}}}}}),
        Json({{"metadata", {{"annotations", {{"ocfsgw.io/inject", "false"}}}}}, {"spec", 7}}),
        Json({{"metadata", {{"annotations", {{"ocfsgw.io/status", "injected"}}}}}})}) {
    const auto patch = PatchPod(pod, "n", {}, no_id);
    ASSERT_TRUE(patch.ok()) << pod << patch.status().ToString();
    EXPECT_TRUE(patch->operations.empty());
    EXPECT_TRUE(patch->warnings.empty());
  }
}

TEST(PatchPod, AsksForEachVolumesDirectory) {
  Json pod = {{"metadata", {{"annotations", {{"ocfsgw.io/inject", "true"}, {"ocfsgw.io/volume", "a,b"}}}}},
              {"spec", {{"initContainers", nullptr}}}};
  for (const char* name : {"a", "b"}) {
    pod["spec"]["volumes"].push_back({{"name", name}, {"persistentVolumeClaim", {{"claimName", name}}}});
    pod["spec"]["containers"][0]["volumeMounts"].push_back(
        {{"name", name}, {"mountPath", std::string("/") + name}});
  }
  int number = 0;
  const auto patch = PatchPod(pod, "n", {}, [&number] { return "id" + std::to_string(++number); });
  ASSERT_TRUE(patch.ok()) << patch.status().ToString();
  const Json patched = pod.patch(patch->operations);
  EXPECT_EQ(number, 2);
  EXPECT_EQ(patched["spec"]["volumes"][2]["hostPath"]["path"], "/run/ocfsgw/pods/id1");
  EXPECT_EQ(patched["spec"]["volumes"][3]["hostPath"]["path"], "/run/ocfsgw/pods/id1/mount");
  EXPECT_EQ(patched["spec"]["volumes"][5]["hostPath"]["path"], "/run/ocfsgw/pods/id2");
}

TEST(ConfigHash, TellsConfigurationsApart) {
  InjectorConfig a, b;
  EXPECT_EQ(ConfigHash(a), ConfigHash(b));
  b.options = {"ro"};
  EXPECT_NE(ConfigHash(a), ConfigHash(b));
  b = a;
  b.native_sidecars = false;
  EXPECT_NE(ConfigHash(a), ConfigHash(b));
}

}  // namespace
}  // namespace ocfsgw::injector
