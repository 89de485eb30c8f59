#include "tests/posix/differential/deviations.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tests/kernel.h"
#include "tests/posix/differential/actor.h"

namespace ocfsgw::posixdiff {
namespace {

/// The first line: what the program saw. The others are what the tester saw.
std::string FirstWithMark(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string First(const std::string& text) {
  const std::string first = FirstWithMark(text);
  return first.substr(0, first.find(kFlagsMark));
}

bool IsError(const std::string& text) { return text.starts_with("-"); }

/// Equal but for one word, where the bare file system has `here` and the gateway `there`.
bool DifferOnlyIn(std::string bare, const std::string& gateway, std::string_view here,
                  std::string_view there) {
  const size_t at = static_cast<size_t>(
      std::mismatch(bare.begin(), bare.end(), gateway.begin(), gateway.end()).first - bare.begin());
  const size_t found = bare.rfind(here, at);
  if (found == std::string::npos || found + here.size() < at) return false;
  return bare.replace(found, here.size(), there) == gateway;
}

constexpr int64_t kFuseAllocates = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;

using After = Deviation::After;

bool BirthTime(const Step& step, const std::string& bare, const std::string& gateway) {
  return KernelBefore(6, 6) && step.Is("statx") && DifferOnlyIn(bare, gateway, " btime", "");
}

bool AllocateMode(const Step& step, const std::string& /*bare*/, const std::string& gateway) {
  return step.Is("fallocate") && (step.a & ~kFuseAllocates) != 0 && First(gateway).starts_with("-EOPNOTSUPP");
}

bool Temporary(const Step& step, const std::string& bare, const std::string& gateway) {
  return KernelBefore(6, 1) && step.Is("open") && (step.a & O_TMPFILE) == O_TMPFILE &&
         First(bare).starts_with("opened") && First(gateway).starts_with("-EOPNOTSUPP");
}

bool Alignment(const Step& /*step*/, const std::string& bare, const std::string& gateway) {
  return First(bare).starts_with("-EINVAL") && First(bare).ends_with(kDirectMark) && !IsError(gateway);
}

bool AlignmentOrder(const Step& /*step*/, const std::string& bare, const std::string& gateway) {
  return First(bare).starts_with("-EINVAL") && First(bare).ends_with(kDirectMark) &&
         First(gateway).starts_with("-EFBIG");
}

bool DirectMapping(const Step& step, const std::string& bare, const std::string& gateway) {
  return step.Is("mmap") && First(bare).starts_with("mapped") && First(gateway).starts_with("-ENODEV");
}

/// Takes the values of mtimes and ctimes out.
std::string WithoutTimes(std::string text) {
  for (const std::string_view what : {" mtime ", " ctime "}) {
    // A ctime is two words, and ends its line.
    const char* const ends = what == " ctime " ? "\n" : " \n";
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
      at += what.size();
      text.erase(at, std::min(text.find_first_of(ends, at), text.size()) - at);
    }
  }
  return text;
}

bool FifoTimes(const Step& step, const std::string& bare, const std::string& gateway) {
  const size_t at = bare.rfind("mtime now");
  if (!step.Is("tree") && !First(bare).ends_with(kSpecialMark)) return false;
  return at != std::string::npos && bare.find(": mode 10") < at &&
         bare.find(": mode 100") == std::string::npos && gateway.substr(0, at + 6) == bare.substr(0, at + 6);
}

bool SpecialIoctl(const Step& /*step*/, const std::string& bare, const std::string& gateway) {
  return First(bare).ends_with(kSpecialMark) &&
         First(gateway).ends_with(std::string("-ENOTTY") + kSpecialMark);
}

bool SeekBeyond(const Step& step, const std::string& bare, const std::string& gateway) {
  return step.Is("lseek") && First(bare).starts_with("-EINVAL") &&
         std::strtoll(gateway.c_str(), nullptr, 10) > int64_t{1} << 43;
}

bool CopyBeyond(const Step& step, const std::string& bare, const std::string& gateway) {
  return step.Is("copy_file_range") && step.b > int64_t{1} << 43 && First(bare).starts_with("-EFBIG from") &&
         First(gateway).starts_with("0 from");
}

bool AllocateLimit(const Step& step, const std::string& bare, const std::string& gateway) {
  return step.Is("fallocate") && (step.a & FALLOC_FL_KEEP_SIZE) != 0 && First(bare).starts_with("-EFBIG") &&
         !IsError(gateway);
}

bool AllocateOrder(const Step& step, const std::string& bare, const std::string& gateway) {
  return step.Is("fallocate") && First(bare).starts_with("-EOPNOTSUPP") &&
         First(gateway).starts_with("-EFBIG");
}

bool LooseHole(const Step& step, const std::string& bare, const std::string& gateway) {
  return step.Is("lseek") && First(bare).find(kHoleMark) != std::string::npos &&
         First(gateway).find(kHoleMark) != std::string::npos;
}

/// Takes the set-id bits out of the outcome and out of modes.
std::string WithoutSetIds(std::string text) {
  const auto blank = [&text](std::string_view before, size_t digits) {
    for (size_t at = text.find(before); at != std::string::npos; at = text.find(before, at + 1)) {
      text.replace(std::min(at + before.size(), text.size()), digits, digits, '?');
    }
  };
  blank(kSetIdMark, 4);
  blank("mode 10", 1);
  return text;
}

/// Of the mark; 0 if there is none.
unsigned long SetIds(const std::string& text) {
  const size_t at = First(text).find(kSetIdMark);
  return at == std::string::npos ? 0 : std::strtoul(text.c_str() + at + std::strlen(kSetIdMark), nullptr, 8);
}

bool FailedChange(const Step& /*step*/, const std::string& bare, const std::string& gateway) {
  return IsError(bare) && First(bare).find(kSetIdMark) != std::string::npos &&
         WithoutTimes(WithoutSetIds(bare)) == WithoutTimes(WithoutSetIds(gateway));
}

bool AllocateClears(const Step& step, const std::string& bare, const std::string& gateway) {
  return step.Is("fallocate") && !IsError(bare) && SetIds(gateway) == (SetIds(bare) & S_IXGRP) &&
         WithoutTimes(WithoutSetIds(bare)) == WithoutTimes(WithoutSetIds(gateway));
}

bool SetGroupIdKept(const Step& /*step*/, const std::string& bare, const std::string& gateway) {
  return !IsError(bare) && (SetIds(gateway) & S_IXGRP) == 0 && SetIds(gateway) == (SetIds(bare) | S_ISGID) &&
         SetIds(bare) != SetIds(gateway) && WithoutSetIds(bare) == WithoutSetIds(gateway);
}

bool Removed(const Step& /*step*/, const std::string& bare, const std::string& gateway) {
  const auto marked = [](const std::string& text) { return First(text).ends_with(kRemovedMark); };
  return marked(bare) && marked(gateway) && gateway.find("-ESTALE") != std::string::npos;
}

bool Flagged(const std::string& text, std::string_view outcome) {
  return FirstWithMark(text) == std::string(outcome) + kFlagsMark;
}

bool FlagsOrder(const Step& /*step*/, const std::string& bare, const std::string& gateway) {
  return bare.starts_with("-EPERM") && FirstWithMark(bare).ends_with(kFlagsMark) && IsError(gateway);
}

bool FlagsSetIds(const Step& /*step*/, const std::string& bare, const std::string& gateway) {
  return !IsError(bare) && FirstWithMark(bare).ends_with(kFlagsMark) && gateway.starts_with("-EPERM") &&
         FirstWithMark(gateway).ends_with(kFlagsMark) && (SetIds(gateway) & (S_ISUID | S_ISGID)) != 0 &&
         (SetIds(bare) & S_ISUID) == 0;
}

bool FlagsAccess(const Step& step, const std::string& bare, const std::string& gateway) {
  return (step.Is("access") || step.Is("faccessat2")) && Flagged(bare, "-EPERM") && Flagged(gateway, "0");
}

bool FlagsNothing(const Step& step, const std::string& bare, const std::string& gateway) {
  const bool writes_nothing =
      (step.Is("write") || step.Is("writev") || step.Is("pwrite") || step.Is("pwritev2")) && step.b == 0;
  return (writes_nothing || step.Is("copy_file_range")) && bare.starts_with("-EPERM ") &&
         gateway.starts_with("0 ") && FirstWithMark(bare).ends_with(kFlagsMark);
}

bool FlagsMapping(const Step& step, const std::string& bare, const std::string& gateway) {
  return step.Is("mmap") && Flagged(bare, "-EACCES") && Flagged(gateway, "mapped");
}

const std::array kKnown = {
    Deviation{"statx-btime", BirthTime, After::kGoOn,
              "before Linux 6.6 the kernel's FUSE does not ask for the time of birth"},
    Deviation{"fallocate-modes", AllocateMode, After::kEnd,
              "the kernel's FUSE refuses collapse, insert and unshare (fuse_file_fallocate)"},
    Deviation{"tmpfile", Temporary, After::kEnd, "before Linux 6.1 the kernel's FUSE has no O_TMPFILE"},
    Deviation{
        "direct-alignment", Alignment, After::kEnd,
        "the kernel's FUSE takes direct transfers of any alignment, and the gateway does them with a buffer"},
    Deviation{"direct-alignment-order", AlignmentOrder, After::kGoOn,
              "as before: where RLIMIT_FSIZE is exceeded, too, only that is an error"},
    Deviation{
        "direct-mapping", DirectMapping, After::kEnd,
        "libfuse 3.14 has no DIRECT_IO_ALLOW_MMAP: shared mappings of files opened with O_DIRECT, or to be "
        "read and appended to, are "
        "refused"},
    Deviation{"fifo-mtime", FifoTimes, After::kEnd,
              "what is written to a FIFO does not leave the kernel: the source's inode is not touched"},
    Deviation{"special-ioctl", SpecialIoctl, After::kEnd,
              "the kernel's FUSE has no ioctl for FIFOs, sockets and devices"},
    Deviation{"seek-beyond-the-largest-file", SeekBeyond, After::kEnd,
              "the kernel checks against the largest file of FUSE, not of the source"},
    Deviation{"copy-beyond-the-largest-file", CopyBeyond, After::kGoOn,
              "as before: a copy of no bytes to where no byte can be"},
    Deviation{"allocate-limit", AllocateLimit, After::kEnd,
              "tmpfs minds RLIMIT_FSIZE where the size stays, the kernel's FUSE does not"},
    Deviation{"allocate-limit-first", AllocateOrder, After::kEnd,
              "the kernel's FUSE minds RLIMIT_FSIZE before it is known that tmpfs has no such mode"},
    Deviation{"holes-told-loosely", LooseHole, After::kEnd,
              "xfs calls allocated space data where zeros are cached, so it depends on who has read it"},
    Deviation{"failed-change-and-set-id", FailedChange, After::kEnd,
              "the kernel's FUSE takes the set-id bits away before the source refuses; others do so before "
              "or after, and "
              "have set the ctime"},
    Deviation{
        "allocation-clears-set-id", AllocateClears, After::kEnd,
        "OCFS2 leaves the set-id bits of a file in which space is allocated, the kernel's FUSE does not"},
    Deviation{
        "set-group-id-without-execute", SetGroupIdKept, After::kEnd,
        "the kernel's FUSE keeps set-group-ID where the group may not execute; others take it from files "
        "that somebody changes who is not in the group"},
    Deviation{"removed-large-file", Removed, After::kEnd,
              "the space of a large file is free when it was removed: O_PATH descriptors of it are stale"},
    Deviation{"inode-flags-order", FlagsOrder, After::kGoOn,
              "the kernel does not know of the flags: where several errors apply, another one comes first"},
    Deviation{"inode-flags-mapping", FlagsMapping, After::kEnd,
              "the kernel does not know of the flags: an append-only file can be mapped shared and writable"},
    Deviation{
        "inode-flags-set-id", FlagsSetIds, After::kEnd,
        "the kernel's FUSE has the set-id bits taken away by a change of the mode, which a file that has "
        "become append-only or immutable while open refuses"},
    Deviation{"inode-flags-access", FlagsAccess, After::kGoOn,
              "the kernel does not know of the flags: access(2) goes by the mode"},
    Deviation{
        "inode-flags-nothing-to-do", FlagsNothing, After::kGoOn,
        "the kernel does not know of the flags, and nobody else is asked where there is nothing to write"},
};

}  // namespace

std::span<const Deviation> KnownDeviations() { return kKnown; }

}  // namespace ocfsgw::posixdiff
