#include "tests/mount/held_access.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace ocfsgw::mounttest {
namespace {

template <typename Stat>
ino_t InodeOf(const Stat& stat_it) {
  struct stat st {};
  return stat_it(&st) == 0 ? st.st_ino : 0;
}

ino_t InodeOf(const std::string& path) {
  return InodeOf([&](struct stat* st) { return stat(path.c_str(), st); });
}

}  // namespace

HeldAccess::HeldAccess()
    : fanotify_(fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE,
                              O_RDONLY | O_CLOEXEC | O_LARGEFILE)) {
  EXPECT_GE(fanotify_, 0) << "these tests need a kernel with CONFIG_FANOTIFY_ACCESS_PERMISSIONS";
  EXPECT_EQ(pipe2(stop_, O_CLOEXEC), 0);
  receiver_ = std::thread([this] { Receive(); });
}

HeldAccess::~HeldAccess() {
  LetGo();
  close(stop_[1]);
  receiver_.join();
  close(stop_[0]);
  if (fanotify_ >= 0) close(fanotify_);
}

bool HeldAccess::Watch(const std::string& file, bool opens) {
  return fanotify_mark(fanotify_, FAN_MARK_ADD, FAN_ACCESS_PERM | (opens ? FAN_OPEN_PERM : 0), AT_FDCWD,
                       file.c_str()) == 0;
}

bool HeldAccess::WatchChildren(const std::string& directory) {
  return fanotify_mark(fanotify_, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_EVENT_ON_CHILD, AT_FDCWD,
                       directory.c_str()) == 0;
}

void HeldAccess::HoldOf(pid_t pid) { pid_ = pid; }

void HeldAccess::LetGo() {
  pid_ = 0;
  LetGoIf({}, true, SIZE_MAX);
}

void HeldAccess::LetGo(const std::string& file) {
  const ino_t inode = InodeOf(file);
  {
    const std::lock_guard lock(mutex_);
    free_.insert(inode);
  }
  LetGoIf({inode}, false, SIZE_MAX);
}

void HeldAccess::LetOneGo(const std::string& file) { LetGoIf({InodeOf(file)}, false, 1); }

size_t HeldAccess::held(const std::string& file) const {
  const ino_t inode = InodeOf(file);
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::count_if(held_.begin(), held_.end(), [&](const Event& e) { return e.inode == inode; }));
}

bool HeldAccess::Await(const std::string& file, size_t count) const {
  return Eventually([&] { return held(file) >= count; });
}

void HeldAccess::LetGoIf(const std::vector<ino_t>& inodes, bool all, size_t most) {
  const std::lock_guard lock(mutex_);
  for (auto it = held_.begin(); it != held_.end() && most > 0;) {
    if (!all && std::find(inodes.begin(), inodes.end(), it->inode) == inodes.end()) {
      ++it;
      continue;
    }
    Answer(*it);
    it = held_.erase(it);
    --most;
  }
}

void HeldAccess::Answer(const Event& event) const {
  const fanotify_response response{event.fd, FAN_ALLOW};
  EXPECT_EQ(write(fanotify_, &response, sizeof response), static_cast<ssize_t>(sizeof response));
  close(event.fd);
}

void HeldAccess::Receive() {
  alignas(fanotify_event_metadata) std::array<char, 16384> buffer;
  std::array<pollfd, 2> ready{{{fanotify_, POLLIN, 0}, {stop_[0], 0, 0}}};
  while (poll(ready.data(), ready.size(), -1) > 0 && ready[1].revents == 0) {
    ssize_t left = read(fanotify_, buffer.data(), buffer.size());
    for (auto* event = reinterpret_cast<fanotify_event_metadata*>(buffer.data()); FAN_EVENT_OK(event, left);
         event = FAN_EVENT_NEXT(event, left)) {
      if (event->fd < 0) continue;
      const Event known{event->fd, InodeOf([&](struct stat* st) { return fstat(event->fd, st); })};
      const std::lock_guard lock(mutex_);
      if (event->pid == pid_ && !free_.contains(known.inode)) {
        held_.push_back(known);
      } else {
        Answer(known);
      }
    }
  }
}

}  // namespace ocfsgw::mounttest
