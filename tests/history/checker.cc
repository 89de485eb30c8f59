#include "tests/history/checker.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <unordered_map>

namespace ocfsgw::history {
namespace {

using Kind = Operation::Kind;
constexpr int64_t kBefore = std::numeric_limits<int64_t>::min();

/// That the register is known to have held what a write with this start left, or something later.
struct Evidence {
  int64_t write_start = kBefore;
  size_t proof = 0;

  void Add(int64_t start, size_t index) {
    if (start > write_start) *this = {start, index};
  }
};

struct Write {
  size_t index;
  int64_t start, end;
  uint32_t process;
  // The next write of the same process. Recorded times may overlap, since they are known within bounds only.
  size_t next_index = SIZE_MAX;
  int64_t next_end = kNever;
};

struct Read {
  size_t index;
  const std::vector<std::string>* values;  ///< Null: one name of a listing, `listed` or not.
  bool listed = false;
};

struct Register {
  std::vector<Write> writes;
  std::vector<Read> reads;
};

/// When writes were in flight; to be added by their starts.
class Intervals {
 public:
  void Add(const Write& write) {
    const int64_t end_max = intervals_.empty() ? kBefore : intervals_.back().end_max;
    intervals_.push_back({write.start, std::max(end_max, write.end)});
  }
  bool Overlap(const Operation& read) const {
    const auto it = std::partition_point(intervals_.begin(), intervals_.end(),
                                         [&](const auto& interval) { return interval.start <= read.end; });
    return it != intervals_.begin() && std::prev(it)->end_max >= read.start;
  }

 private:
  struct Interval {
    int64_t start, end_max;  ///< The last end of this and all earlier ones.
  };
  std::vector<Interval> intervals_;
};

class RegisterCheck {
 public:
  RegisterCheck(const std::vector<Operation>& history, const CheckOptions& options, const std::string& name,
                Register& data, Report& report)
      : history_(history), options_(options), name_(name), data_(data), report_(report) {}

  void Run() {
    IndexWrites();
    // In the order of their starts: what ended before one of them started has been looked at by then.
    std::stable_sort(data_.reads.begin(), data_.reads.end(),
                     [this](const Read& a, const Read& b) { return At(a.index).start < At(b.index).start; });
    for (const Read& read : data_.reads) CheckRead(read);
  }

 private:
  struct Finding {
    std::optional<Rule> rule;  ///< None: legal.
    std::optional<size_t> proof;
    int64_t shown_start = kBefore;  ///< If legal: the earliest start of a write that it can have shown.
  };

  const Operation& At(size_t index) const { return history_[index]; }

  void IndexWrites() {
    std::map<uint32_t, size_t> last;  // by process, position in writes
    for (size_t i = 0; i < data_.writes.size(); ++i) {
      const Write& write = data_.writes[i];
      if (const auto [it, first] = last.try_emplace(write.process, i); !first) {
        data_.writes[it->second].next_index = write.index;
        data_.writes[it->second].next_end = write.end;
        it->second = i;
      }
    }
    std::stable_sort(data_.writes.begin(), data_.writes.end(),
                     [](const Write& a, const Write& b) { return a.start < b.start; });
    for (const Write& write : data_.writes) {
      const auto& values = At(write.index).values;
      for (size_t i = 0; i + 1 < values.size(); ++i) {
        if (values[i] == kAnything || values[i] == kAnythingAgain) {
          anything_.Add(write);
          if (values[i] == kAnythingAgain) anything_again_.Add(write);
        } else {
          // Superseded by the end of its own write, which counts as a later one of the same process.
          Write on_the_way = write;
          on_the_way.next_index = write.index;
          on_the_way.next_end = write.end;
          AddCandidate(values[i], on_the_way);
        }
      }
      AddCandidate(values.back(), write);
    }
    std::vector<const Write*> by_end;
    for (const Write& write : data_.writes) by_end.push_back(&write);
    std::stable_sort(by_end.begin(), by_end.end(), [](auto* a, auto* b) { return a->end < b->end; });
    Evidence newest;
    for (const Write* write : by_end) {
      newest.Add(write->start, write->index);
      completed_.push_back({write->end, newest});
    }
  }

  void AddCandidate(std::string_view value, const Write& write) {
    auto& candidates = candidates_[value];
    const int64_t end_max = candidates.empty() ? kBefore : candidates.back().end_max;
    candidates.push_back({write, std::max(end_max, write.end)});
  }

  /// What the writes prove that had returned before `time`.
  Evidence CompletedBefore(int64_t time) const {
    const auto it = std::partition_point(completed_.begin(), completed_.end(),
                                         [&](const auto& entry) { return entry.first < time; });
    return it == completed_.begin() ? Evidence{} : std::prev(it)->second;
  }

  Evidence ShownBefore(const Operation& read, size_t index) {
    while (!returned_.empty() && returned_.begin()->first < read.start) {
      const auto [start, shown] = returned_.begin()->second;
      shown_[options_.backwards_between_places ? 0 : At(shown).place].Add(start, shown);
      returned_.erase(returned_.begin());
    }
    Evidence evidence = shown_[options_.backwards_between_places ? 0 : read.place];
    if (const auto own = own_reads_.find(read.process);
        own != own_reads_.end() && own->second.proof < index) {
      evidence.Add(own->second.write_start, own->second.proof);
    }
    return evidence;
  }

  Evidence OwnWritesBefore(const Operation& read, size_t index) const {
    Evidence evidence;
    const auto it = own_writes_.find(read.process);
    if (it != own_writes_.end() && it->second.proof < index) evidence = it->second;
    return evidence;
  }

  Finding Judge(std::string_view value, size_t index, const Evidence& written, const Evidence& shown) const {
    const Operation& read = At(index);
    if (anything_again_.Overlap(read)) return {};
    const auto found = candidates_.find(value);
    if (found == candidates_.end()) {
      return {anything_.Overlap(read) ? std::nullopt : std::optional(Rule::kNeverWritten), std::nullopt};
    }
    Finding finding{Rule::kFuture, std::nullopt};
    const auto& candidates = found->second;
    auto it = std::partition_point(candidates.begin(), candidates.end(),
                                   [&](const auto& c) { return c.write.start <= read.end; });
    while (it != candidates.begin()) {
      const auto& [write, end_max] = *--it;
      const bool own = write.process == read.process;
      if (own && write.index > index) continue;
      if (write.end < written.write_start) {
        if (finding.rule == Rule::kFuture) finding = {Rule::kStale, written.proof};
      } else if (write.next_end < read.start || (own && write.next_index < index)) {
        if (finding.rule == Rule::kFuture) finding = {Rule::kStale, write.next_index};
      } else if (write.end < shown.write_start) {
        if (finding.rule == Rule::kFuture) finding = {Rule::kBackwards, shown.proof};
      } else {
        finding = {std::nullopt, std::nullopt, write.start};
      }
      if (end_max < std::max(written.write_start, shown.write_start)) break;  // and so did all before it
    }
    return finding;
  }

  void CheckRead(const Read& read) {
    ++report_.reads;
    const Operation& operation = At(read.index);
    for (; next_own_ < data_.writes.size() && data_.writes[next_own_].start <= operation.start; ++next_own_) {
      const Write& write = data_.writes[next_own_];
      own_writes_[write.process].Add(write.start, write.index);
    }
    Evidence written = CompletedBefore(operation.start);
    const Evidence own = OwnWritesBefore(operation, read.index);
    written.Add(own.write_start, own.proof);
    const Evidence shown = ShownBefore(operation, read.index);
    int64_t shown_start = std::numeric_limits<int64_t>::max();
    const std::vector<std::string> listed{read.listed ? kPresent : kAbsent};
    const auto& values = read.values ? *read.values : listed;
    for (const auto& value : values) {
      const Finding finding = Judge(value, read.index, written, shown);
      if (finding.rule) {
        report_.violations.push_back(
            {values.size() > 1 ? Rule::kTorn : *finding.rule, read.index, name_, value, finding.proof});
        return;
      }
      shown_start = std::min(shown_start, finding.shown_start);
    }
    own_reads_[operation.process].Add(shown_start, read.index);
    returned_.insert({operation.end, {shown_start, read.index}});
  }

  struct Candidate {
    Write write;
    int64_t end_max;  ///< Of this and all earlier candidates for the value.
  };

  const std::vector<Operation>& history_;
  const CheckOptions& options_;
  const std::string& name_;
  Register& data_;
  Report& report_;
  std::unordered_map<std::string_view, std::vector<Candidate>> candidates_;  // by value, each by start
  Intervals anything_, anything_again_;
  std::vector<std::pair<int64_t, Evidence>> completed_;          // by end
  std::multimap<int64_t, std::pair<int64_t, size_t>> returned_;  // reads by end, until shown_ has them
  std::map<uint32_t, Evidence> shown_;                           // by place
  std::map<uint32_t, Evidence> own_reads_, own_writes_;          // by process
  size_t next_own_ = 0;
};

}  // namespace

Report Check(const std::vector<Operation>& history, const CheckOptions& options) {
  Report report;
  std::map<std::string, Register> registers;
  for (size_t i = 0; i < history.size(); ++i) {
    const Operation& operation = history[i];
    if (operation.kind == Kind::kWrite) {
      ++report.writes;
      registers[operation.object].writes.push_back({i, operation.start, operation.end, operation.process});
    } else if (operation.kind == Kind::kRead) {
      registers[operation.object].reads.push_back({i, &operation.values});
    }
  }
  for (size_t i = 0; i < history.size(); ++i) {
    if (history[i].kind != Kind::kList) continue;
    std::vector<std::string_view> names(history[i].values.begin(), history[i].values.end());
    std::sort(names.begin(), names.end());
    const std::string prefix = kNameRegister + history[i].object + "/";
    for (auto it = registers.lower_bound(prefix);
         it != registers.end() && it->first.compare(0, prefix.size(), prefix) == 0; ++it) {
      const auto name = std::string_view(it->first).substr(prefix.size());
      it->second.reads.push_back({i, nullptr, std::binary_search(names.begin(), names.end(), name)});
    }
  }
  for (auto& [name, data] : registers) {
    RegisterCheck(history, options, name, data, report).Run();
  }
  return report;
}

std::string Describe(const Violation& violation, const std::vector<Operation>& history) {
  static constexpr const char* kRules[] = {"never written", "from the future", "stale", "going back", "torn"};
  std::string text = std::string(kRules[static_cast<size_t>(violation.rule)]) + ": " + violation.object +
                     " shows " + violation.value + "\n  read:  " + Format(history[violation.read]);
  size_t shown = 0;
  for (const Operation& operation : history) {
    if (operation.kind == Kind::kWrite && operation.object == violation.object &&
        std::find(operation.values.begin(), operation.values.end(), violation.value) !=
            operation.values.end() &&
        operation.start <= history[violation.read].end && ++shown <= 3) {
      text += "\n  shows: " + Format(operation);
    }
  }
  if (violation.proof) text += "\n  but:   " + Format(history[*violation.proof]);
  return text;
}

}  // namespace ocfsgw::history
