#include "ocfs2-backend/metered_backend.h"

#include <map>

#include "tests/unit/base/counted_duty.h"
#include "tests/unit/ocfs2-backend/temp_dir.h"

namespace ocfsgw::ocfs2 {
namespace {

double Metric(const MetricsRegistry& registry, const std::string& name, const std::string& op = "") {
  for (const auto& sample : registry.Snapshot()) {
    if (sample.name == name && (op.empty() || sample.labels.at(0).second == op)) return sample.value;
  }
  ADD_FAILURE() << name << " " << op;
  return -1;
}

TEST(MeteredBackend, CountsOperationsErrorsAndBytes) {
  const TempDir dir("/tmp");
  MetricsRegistry registry;
  MeteredBackend backend(OpenBackend(dir.path()), registry);
  const auto root = backend.Root();

  EXPECT_TRUE(backend.Lookup(root, "missing").status().IsErrno(ENOENT));
  EXPECT_TRUE(backend.Lookup(root, "a/b").status().IsErrno(EINVAL));
  {
    auto created = backend.Create(root, "file", 0644, O_RDWR, {});
    ASSERT_TRUE(created.ok());
    std::array<std::byte, 10> bytes{};
    EXPECT_EQ(*created->file->Write(0, bytes, false), 10U);
    EXPECT_EQ(*created->file->Read(4, bytes), 6U);
    EXPECT_EQ(backend.SetAttr(created->found.node, {.size = 3}, created->file.get())->size, 3U);
  }
  EXPECT_EQ(Metric(registry, "ocfsgw_backend_operations_total", "lookup"), 2);
  EXPECT_EQ(Metric(registry, "ocfsgw_backend_errors_total", "lookup"), 1) << "ENOENT is an answer";
  EXPECT_EQ(Metric(registry, "ocfsgw_backend_operations_total", "create"), 1);
  EXPECT_EQ(Metric(registry, "ocfsgw_backend_operations_total", "setattr"), 1);
  EXPECT_EQ(Metric(registry, "ocfsgw_backend_operations_total", "fstat"), 0);
  EXPECT_EQ(Metric(registry, "ocfsgw_backend_read_bytes_total"), 6);
  EXPECT_EQ(Metric(registry, "ocfsgw_backend_written_bytes_total"), 10);
}

TEST(MeteredBackend, EveryCallThatMayBlockSaysSo) {
  const TempDir dir("/tmp");
  MetricsRegistry registry;
  MeteredBackend backend(OpenBackend(dir.path()), registry);
  CountedDuty duty;
  const auto root = backend.Root();
  EXPECT_EQ(duty.Handed(), 0) << "known without a call";

  auto created = backend.Create(root, "file", 0644, O_RDWR, {});
  ASSERT_TRUE(created.ok());
  EXPECT_EQ(duty.Handed(), 1);
  EXPECT_TRUE(backend.Lookup(root, "file").ok());
  EXPECT_EQ(duty.Handed(), 1);
  EXPECT_TRUE(backend.Stat(created->found.node).ok());
  EXPECT_EQ(duty.Handed(), 1);
  std::array<std::byte, 10> bytes{};
  EXPECT_TRUE(created->file->Write(0, bytes, false).ok());
  EXPECT_EQ(duty.Handed(), 1);
  EXPECT_TRUE(created->file->Read(0, bytes).ok());
  EXPECT_EQ(duty.Handed(), 1);
  created->file.reset();
  EXPECT_EQ(duty.Handed(), 1) << "a file that was removed is wiped when it is closed";
  EXPECT_TRUE(backend.Unlink(root, "file").ok());
  EXPECT_EQ(duty.Handed(), 1);
}

}  // namespace
}  // namespace ocfsgw::ocfs2
