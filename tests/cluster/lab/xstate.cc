// Preloaded into linux.uml where the processor's floating point state is larger than it knows (AMX: 11 KiB;
// it asks for 2.6 KiB). Linux takes and gives such a state only whole (xstateregs_set() in
// arch/x86/kernel/fpu/ regset.c), and user-mode Linux 6.1 then dies in put_fp_registers(). The rest of the
// state is left as it is.
#include <elf.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>

namespace {

constexpr size_t kStateMax = 32768;

long Peek(int request, long pid, void* addr) {
  long word = 0;
  if (syscall(SYS_ptrace, request, pid, addr, &word) < 0) return -1;
  errno = 0;
  return word;
}

long State(int request, long pid, iovec* part) {
  alignas(64) static thread_local char bytes[kStateMax];
  iovec whole = {bytes, sizeof bytes};
  const long got = syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole);
  if (got < 0) return got;
  const size_t length = std::min(part->iov_len, whole.iov_len);
  if (request == PTRACE_GETREGSET) {
    std::memcpy(part->iov_base, bytes, length);
    part->iov_len = length;
    return 0;
  }
  std::memcpy(bytes, part->iov_base, length);
  return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

}  // namespace

extern "C" long ptrace(int request, ...) {
  va_list arguments;
  va_start(arguments, request);
  const long pid = va_arg(arguments, long);
  void* const addr = va_arg(arguments, void*);
  void* const data = va_arg(arguments, void*);
  va_end(arguments);
  switch (request) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
    case PTRACE_PEEKUSR:
      return Peek(request, pid, addr);
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET:
      if (reinterpret_cast<long>(addr) == NT_X86_XSTATE)
        return State(request, pid, static_cast<iovec*>(data));
      break;
    default:
      break;
  }
  return syscall(SYS_ptrace, request, pid, addr, data);
}
