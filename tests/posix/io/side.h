#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "tests/posix/io/model.h"
#include "tests/posix/io/operation.h"

namespace ocfsgw::posixio {

struct SideOptions {
  std::string path;
  uint64_t size_max = 0;
  /// The file's size is not asked for around every operation, which would have the kernel learn of changes
  /// (and wait for pages to be taken back): an operation has to see them by itself. Held mappings are looked
  /// at as far as the file was long when this side last asked. A mapping asks nobody, so with this a
  /// difference seen there need not be an error (docs/COHERENCE.md, "Known gaps").
  bool unasked = false;
};

/// What came of an operation.
struct Verdict {
  enum class What { kDone, kSkipped, kWrong } what = What::kDone;
  std::string why;  ///< For kWrong.
};

/// One process's way to the file: does operations by its own descriptors and mappings, and compares all it
/// sees with the model. Not thread-safe. One per process: it handles SIGBUS while it looks at a mapping.
class Side {
 public:
  explicit Side(SideOptions options);
  ~Side();
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  /// kSkipped: not supported there, the file is unchanged.
  Verdict Do(const Operation& op);
  /// Another side has done it.
  void Note(const Operation& op);

 private:
  class Opened;
  void Perform(const Operation& op);
  void Look(const Operation& op);
  void Change(const Operation& op);
  void Reshape(const Operation& op);
  void Write(const Operation& op);
  void MapWrite(const Operation& op);
  void Copy(const Operation& op);
  void Replace();
  void Seek(const Operation& op);
  void SendFile(const Operation& op);
  void ReadDirect(const Operation& op);
  void MapRead(const Operation& op, bool held);
  void ExpectSize(const char* when);
  void Expect(uint64_t offset, uint64_t length, std::string_view got) const;
  /// The descriptor for the operation: held, or opened for it and closed with the result.
  Opened Open(Via via, int one_way);
  int Held(int flags);
  void CloseAll(bool writers_only);

  const SideOptions options_;
  Model model_;
  std::map<int, int> held_;  ///< Descriptors by their flags.
  uint64_t seen_size_ = 0;
  char* map_ = nullptr;  ///< Of size_max bytes, made through a descriptor for reading.
};

}  // namespace ocfsgw::posixio
