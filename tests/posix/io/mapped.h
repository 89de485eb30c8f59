#pragma once

#include <cstddef>
#include <functional>

namespace ocfsgw::posixio {

/// Does `use`, which touches a mapping; false if that ended with SIGBUS. `use` must own nothing that needs a
/// destructor.
bool Touch(const std::function<void()>& use);

}  // namespace ocfsgw::posixio
