#include "tests/history/old_page.h"

#include <algorithm>
#include <optional>

namespace ocfsgw::history {

bool MayBeOldPage(const Violation& violation, const std::vector<Operation>& history, const Pages& pages) {
  if (violation.rule != Rule::kStale && violation.rule != Rule::kBackwards) return false;
  const Operation& read = history[violation.read];
  const auto writes = [&](const Operation& o) {
    return o.kind == Operation::Kind::kWrite && o.object == violation.object && o.start <= read.end;
  };
  const auto shown = std::find_if(history.begin(), history.end(), [&](const Operation& o) {
    return writes(o) && o.values.back() == violation.value;
  });
  if (shown == history.end()) return false;
  const Operation* since = nullptr;
  for (const Operation& o : history) {
    if (!writes(o) || &o == &*shown || o.end < shown->start) continue;
    if (since != nullptr || !pages.is_direct(o)) return false;
    since = &o;
  }
  return since != nullptr && std::any_of(history.begin(), history.end(), [&](const Operation& o) {
           return o.kind == Operation::Kind::kRead && pages.file(o.object) == pages.file(read.object) &&
                  pages.node(o.place) == pages.node(read.place) && o.start <= since->end &&
                  o.end >= since->start;
         });
}

}  // namespace ocfsgw::history
