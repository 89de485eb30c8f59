#include "ocfs2-backend/open_pins.h"

#include "base/blocking.h"
#include "base/log.h"

namespace ocfsgw::ocfs2 {

class OpenPins::Pin final : public coherence::OpenPin {
 public:
  Pin(OpenPins& owner, InodeId id) : owner_(owner), id_(id) {}
  ~Pin() override { owner_.Drop(id_); }

 private:
  OpenPins& owner_;
  const InodeId id_;
};

std::unique_ptr<coherence::OpenPin> OpenPins::Add(InodeId id) {
  {
    MutexLock lock(mutex_);
    ++entries_[id].pins;
  }
  return std::make_unique<Pin>(*this, id);
}

bool OpenPins::NeedLock(InodeId id) const {
  MutexLock lock(mutex_);
  const auto it = entries_.find(id);
  return it != entries_.end() && it->second.lock.fd() < 0;
}

void OpenPins::Lock(InodeId id) {
  if (!NeedLock(id)) return;
  auto taken = take_(id);
  if (!taken.ok()) {
    if (taken.status().Is(StatusCode::kUnavailable)) return;  // the loss of all locks has been told
    log::Warning("inode {} is open, and will be lost to it if it is deleted elsewhere: {}", id.ino,
                 taken.status().ToString());
    return;
  }
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(id);
    if (it != entries_.end() && it->second.lock.fd() < 0) {
      it->second.lock = *std::move(taken);  // was empty: nothing is closed here
      return;
    }
  }
  taken->CloseForGood();  // unless another has it: of the last pin, or of another Lock
}

void OpenPins::Drop(InodeId id) {
  LockFile last;
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(id);
    if (--it->second.pins > 0) return;
    last = std::move(it->second.lock);
    entries_.erase(it);
  }
  if (last.fd() < 0) return;
  AboutToBlock();
  last.CloseForGood();
}

}  // namespace ocfsgw::ocfs2
