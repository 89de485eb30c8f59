#include "cache/store_directory.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

constexpr uint64_t kFileBytes = 64 * 1024;

/// A slot whose database is a file of kFileBytes, and another one in a directory of its own.
class StoreDirectoryDiskBytes : public testing::Test {
 protected:
  StoreDirectoryDiskBytes() {
    std::filesystem::create_directories(store_.database_path() + "/below");
    for (const std::string name : {"/file", "/below/file"}) {
      std::ofstream(store_.database_path() + name) << std::string(kFileBytes, 'x');
    }
  }

  const ScratchDirectory scratch_;
  const StoreDirectory store_ = *StoreDirectory::Open(scratch_.path() + "/0");
};

/// Lets this process open only `more` files while it lives.
class DescriptorsLeft {
 public:
  explicit DescriptorsLeft(rlim_t more) {
    const int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_GE(next, 0);
    close(next);
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit less = {static_cast<rlim_t>(next) + more, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &less), 0);
  }
  ~DescriptorsLeft() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(StoreDirectoryDiskBytes, AreThoseOfAllFiles) {
  const auto bytes = store_.DiskBytes();
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  EXPECT_GE(*bytes, 2 * kFileBytes);
  EXPECT_LT(*bytes, 3 * kFileBytes);
}

TEST_F(StoreDirectoryDiskBytes, AreUnknownWhenADirectoryCannotBeRead) {
  const StoreDirectory& store = store_;  // UBSan looks at the type of *this, for which it needs descriptors
  for (const rlim_t directories : {0, 1}) {
    const auto bytes = [&store, directories] {
      const DescriptorsLeft left(directories);
      return store.DiskBytes();
    }();
    EXPECT_EQ(bytes.status().code(), StatusCode::kSystem) << directories << " can be read";
  }
  EXPECT_TRUE(store_.DiskBytes().ok());
}

TEST_F(StoreDirectoryDiskBytes, AreUnknownWithoutADatabase) {
  std::filesystem::remove_all(store_.database_path());
  EXPECT_FALSE(store_.DiskBytes().ok());
}

}  // namespace
}  // namespace ocfsgw::cache
