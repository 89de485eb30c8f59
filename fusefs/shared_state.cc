#include "fusefs/shared_state.h"

#include <sys/mman.h>

namespace ocfsgw::fusefs {

static_assert(std::atomic<uint64_t>::is_always_lock_free, "shared between processes");

SharedState* SharedState::Map() {
  void* const memory = mmap(nullptr, sizeof(SharedState), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  // Not constructed: that would touch every slot. Zeroed memory is what a new one looks like, but for these.
  auto* const state = static_cast<SharedState*>(memory);
  for (auto& fd : state->session_fds) fd.store(-1);
  state->slot.store(-1);
  state->preferred_slot = -1;
  return state;
}

void SharedState::Unmap(SharedState* state) { munmap(state, sizeof(SharedState)); }

}  // namespace ocfsgw::fusefs
