#include "fusefs/restart_policy.h"

#include <gtest/gtest.h>

namespace ocfsgw::fusefs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RestartPolicy, WaitsLongerEachTimeAndGivesUp) {
  RestartPolicy policy;
  milliseconds expected = RestartPolicy::kDelayMin;
  for (int failure = 1; failure < RestartPolicy::kFailuresMax; ++failure) {
    EXPECT_EQ(policy.OnFailure(seconds(failure)), expected);
    expected *= 2;
  }
  EXPECT_EQ(policy.OnFailure(seconds(1)), std::nullopt);
}

TEST(RestartPolicy, HealthIsRewarded) {
  RestartPolicy policy;
  for (int i = 0; i < 3 * RestartPolicy::kFailuresMax; ++i) {
    EXPECT_EQ(policy.OnFailure(RestartPolicy::kHealthyAfter), RestartPolicy::kDelayMin);
    EXPECT_EQ(policy.OnFailure(seconds(0)), 2 * RestartPolicy::kDelayMin);
  }
}

}  // namespace
}  // namespace ocfsgw::fusefs
