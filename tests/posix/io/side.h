#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/posix/io/model.h"
#include "tests/posix/io/operation.h"

namespace ocfsgw::posixio {

struct SideOptions {
  std::string path;
  uint64_t size_max = 0;
  /// The held mapping is looked at before anything else asks about the file. Nothing tells a mapping of a
  /// file that has become longer, and pages that no lease covers are taken back a moment after the answer
  /// (docs/COHERENCE.md, "Known gaps"): with this a difference need not be an error.
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
  void Note(const Operation& op) { model_.Apply(op); }

 private:
  class Opened;
  void Perform(const Operation& op);
  void Look(const Operation& op);
  void Change(const Operation& op);
  void Reshape(const Operation& op);
  void Write(const Operation& op);
  void MapWrite(const Operation& op);
  void Copy(const Operation& op);
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
  char* map_ = nullptr;      ///< Of size_max bytes, made through a descriptor for reading.
};

}  // namespace ocfsgw::posixio
