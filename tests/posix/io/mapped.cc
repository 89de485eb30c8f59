#include "tests/posix/io/mapped.h"

#include <unistd.h>

#include <csetjmp>
#include <csignal>

namespace ocfsgw::posixio {
namespace {

constexpr int kBusErrorStatus = 3;
sigjmp_buf* on_bus_error = nullptr;

void BusError(int) {
  if (on_bus_error == nullptr) _exit(kBusErrorStatus);
  siglongjmp(*on_bus_error, 1);
}

}  // namespace

bool Touch(const std::function<void()>& use) {
  std::signal(SIGBUS, BusError);
  sigjmp_buf back;
  const bool failed = sigsetjmp(back, 1) != 0;
  if (!failed) {
    on_bus_error = &back;
    use();
  }
  on_bus_error = nullptr;
  return !failed;
}

}  // namespace ocfsgw::posixio
