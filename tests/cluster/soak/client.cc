#include "tests/cluster/soak/client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "tests/cluster/content.h"

namespace ocfsgw::cluster {
namespace {

using Kind = Object::Kind;
using history::kAbsent;
using history::kAnything;
using history::kPresent;
using Op = history::Operation;

constexpr uint64_t kFocus = 3;                // objects that half the operations go to,
constexpr uint64_t kFocusNs = 2'000'000'000;  // for so long
constexpr size_t kFileMax = 4000;             // bytes of a small file: one page

std::string HashOf(const std::vector<unsigned char>& content) {
  return std::to_string(Hash(content.data(), content.size()));
}

Writes NameWrites(const Object& o) {
  if (!o.present) {
    return {
        {o.Register("name"), {kAbsent}}, {o.Register("inode"), {kAbsent}}, {o.Register("file"), {kAbsent}}};
  }
  return {{o.Register("name"), {kPresent}},
          {o.Register("inode"), {o.inode}},
          {o.Register("file"), {kAnything, o.hash}}};
}

Writes UnsureName(const Object& o) {
  return {{o.Register("name"), {kPresent, kAbsent}},
          {o.Register("inode"), {kAnything, kAbsent}},
          {o.Register("file"), {kAnything, kAbsent}}};
}

Writes Joined(Writes a, const Writes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// What a look showed: registers with their values. kAbsent where there is no such name.
Writes Seen(const Object& o, const std::string& operation, const Answer& answer) {
  const Words& words = answer.results;
  if (answer.error == ENOENT) {
    return {{o.Register("name"), {kAbsent}}, {o.Register(operation == "stat" ? "inode" : "file"), {kAbsent}}};
  }
  if (operation == "stat" && words.size() == 3) {
    if (o.kind == Kind::kName) return {{o.Register("name"), {kPresent}}, {o.Register("inode"), {words[0]}}};
    return {{o.Register("mode"), {words[1]}}, {o.Register("size"), {words[2]}}};
  }
  if (operation == "getxattr" && words.size() == 1) return {{o.Register("xattr"), words}};
  if (operation == "read" && words.size() == 1) {
    if (o.kind == Kind::kName) return {{o.Register("name"), {kPresent}}, {o.Register("file"), words}};
    return {{o.Register("content"), words}};
  }
  return {{o.BlockRegister(), words}};
}

}  // namespace

Object& Client::RandomObject() {
  const auto& objects = world_.objects;
  if (Random(2) == 0) return *objects[Random(objects.size())];
  // For a while many go to the same few, so that looks, fills and changes meet.
  const auto slot = static_cast<uint64_t>(NowNs()) / kFocusNs;
  const uint64_t first = std::mt19937_64(world_.options.seed + slot)() % objects.size();
  return *objects[(first + Random(kFocus)) % objects.size()];
}

Place Client::RandomPlace() {
  while (true) {
    const Place place{1 + static_cast<int>(Random(static_cast<uint64_t>(world_.nodes()))), Random(3) != 0};
    if (!world_.At(place.node).dying || world_.stop) return place;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// --- Changes

Client::Step Client::WriteBlock(Object& o, const std::string& operation) {
  const std::string value = std::to_string(world_.next_value++);
  return {.request =
              [&o, operation, value](const Place& place) {
                return operation + " " + place.Path(o.path) + " " + std::to_string(o.offset) + " " + value;
              },
          .done =
              [&o, value](const Words&) {
                return Writes{{o.BlockRegister(), {value}}};
              },
          .unsure = {{o.BlockRegister(), {value}}}};
}

Client::Step Client::WriteFile(Object& o, const std::string& operation, size_t keep, size_t add) {
  const uint64_t seed = world_.next_value++;
  std::vector<unsigned char> content(o.content.begin(), o.content.begin() + static_cast<ptrdiff_t>(keep));
  const auto added = Pattern(add, seed);
  content.insert(content.end(), added.begin(), added.end());
  const std::string size = std::to_string(content.size());
  Words sizes = operation == "rewrite" ? Words{"0", size} : Words{size};
  const Writes writes{{o.Register("content"), {kAnything, HashOf(content)}}, {o.Register("size"), sizes}};
  return {.request =
              [&o, operation, keep, add, seed](const Place& place) {
                return operation + " " + place.Path(o.path) + " " +
                       (operation == "truncate" ? std::to_string(keep)
                                                : std::to_string(add) + " " + std::to_string(seed));
              },
          .done =
              [&o, content, writes](const Words&) {
                o.content = content;
                return writes;
              },
          .unsure = writes};
}

Client::Step Client::SetAttribute(Object& o, bool mode) {
  const std::string value = std::to_string(mode ? 0600 + Random(0200) : world_.next_value++);
  const Writes writes{{o.Register(mode ? "mode" : "xattr"), {value}}};
  return {.request =
              [&o, mode, value](const Place& place) {
                return (mode ? "chmod " : "setxattr ") + place.Path(o.path) + " " + value;
              },
          .done = [writes](const Words&) { return writes; },
          .unsure = writes};
}

Client::Step Client::Create(Object& o) {
  const uint64_t seed = world_.next_value++;
  return {.request =
              [&o, seed](const Place& place) {
                return "create " + place.Path(o.path) + " 100 " + std::to_string(seed);
              },
          .done =
              [&o, seed](const Words& results) {
                o.present = true;
                o.inode = results.empty() ? "?" : results[0];
                o.hash = HashOf(Pattern(100, seed));
                return NameWrites(o);
              },
          .unsure = UnsureName(o)};
}

Client::Step Client::Unlink(Object& o) {
  return {.request = [&o](const Place& place) { return "unlink " + place.Path(o.path); },
          .done =
              [&o](const Words&) {
                o.present = false;
                return NameWrites(o);
              },
          .unsure = UnsureName(o),
          .harmless = ENOENT};
}

Client::Step Client::Rename(Object& from, Object& to) {
  return {
      .request =
          [&](const Place& place) { return "rename " + place.Path(from.path) + " " + place.Path(to.path); },
      .done =
          [&](const Words&) {
            to.present = true;
            to.inode = from.inode;
            to.hash = from.hash;
            from.present = false;
            return Joined(NameWrites(from), NameWrites(to));
          },
      .unsure = Joined(UnsureName(from), UnsureName(to))};
}

Client::Step Client::PlanChange(Object& o, Object* other) {
  switch (o.kind) {
    case Kind::kBlock:
      return WriteBlock(o, Random(3) == 0 ? "store" : "pwrite");
    case Kind::kDirectBlock:
      return WriteBlock(o, Random(2) == 0 ? "direct_write" : "pwrite");
    case Kind::kName:
      if (!o.present) return Create(o);
      return other != nullptr ? Rename(o, *other) : Unlink(o);
    case Kind::kFile:
      break;
  }
  switch (Random(6)) {
    case 0:
      return SetAttribute(o, true);
    case 1:
      return SetAttribute(o, false);
    case 2:
      return WriteFile(o, "rewrite", 0, 1 + Random(kFileMax));
    case 3:
      return WriteFile(o, "truncate", Random(o.content.size() + 1), 0);
    default:
      break;
  }
  if (o.content.size() >= kFileMax) return WriteFile(o, "truncate", 10, 0);
  return WriteFile(o, "append", o.content.size(), 1 + Random(kFileMax - o.content.size()));
}

std::vector<Client::Step> Client::PlanRepair(Object& o) {
  switch (o.kind) {
    case Kind::kBlock:
    case Kind::kDirectBlock:
      return {WriteBlock(o, "pwrite")};
    case Kind::kName:
      return {Unlink(o)};
    case Kind::kFile:
      break;
  }
  return {WriteFile(o, "rewrite", 0, 1 + Random(kFileMax)), SetAttribute(o, true), SetAttribute(o, false)};
}

void Client::RecordWrites(const Writes& writes, const Place& place, int64_t start, int64_t end) {
  for (const auto& [name, values] : writes) {
    batch_.push_back({Writer(), place.id(), start, end, Op::Kind::kWrite, name, values});
  }
}

void Client::Flush() {
  for (auto& operation : batch_) world_.Record(std::move(operation));
  batch_.clear();
}

void Client::Judge(const Answer& answer, const Place& place, const std::string& request) {
  const auto& node = world_.At(place.node);
  ++world_.counters.failed;
  if (answer.outcome == Answer::Outcome::kFailed && !node.faulty && !node.dying) {
    ++world_.counters.unexpected;
    world_.Complain("node " + std::to_string(place.node) + ", " + request + ": " +
                    std::strerror(answer.error));
  }
}

bool Client::Do(const Step& step, const Place& place, Writes& unsure) {
  const std::string request = step.request(place);
  const Answer answer = world_.Ask(number_, place, request);
  sent_ = answer.sent;
  received_ = answer.received;
  const bool nothing_to_do = answer.outcome == Answer::Outcome::kFailed && answer.error == step.harmless;
  if ((answer.ok() || nothing_to_do) && !world_.At(place.node).dying) {
    RecordWrites(step.done(answer.results), place, sent_, received_);
    ++world_.counters.changes;
    return true;
  }
  if (!answer.ok()) Judge(answer, place, request);
  unsure = Joined(std::move(unsure), step.unsure);
  world_.AwaitQuiet(place.node);
  return false;
}

void Client::Change(const Objects& objects, const Place& place, const Step& step) {
  bool known = true;
  for (Object* o : objects) {
    o->last_node = place.node;
    known = known && o->Known();
  }
  Writes unsure;
  bool done = known && Do(step, place, unsure);
  const int64_t since = sent_;
  for (const Object* o : objects) done = done && o->Known();  // else its node is about to lose power
  Flush();
  if (!done) Repair(objects, unsure, since);
}

void Client::Repair(const Objects& objects, Writes unsure, int64_t since) {
  while (!world_.give_up) {
    bool done = true;
    const auto begin = static_cast<ptrdiff_t>(batch_.size());
    std::vector<uint64_t> lost;
    for (Object* o : objects) {
      lost.push_back(o->lost);
      const Place place = RandomPlace();
      o->last_node = place.node;
      for (const Step& step : PlanRepair(*o)) done = done && Do(step, place, unsure);
    }
    for (size_t i = 0; i < objects.size(); ++i) done = done && objects[i]->lost == lost[i];
    if (!done) continue;
    // What may have been done before is in flight until now, and this repair follows it.
    RecordWrites(unsure, Place{}, since, received_);
    std::rotate(batch_.begin() + begin, batch_.end() - static_cast<ptrdiff_t>(unsure.size()), batch_.end());
    Flush();
    for (size_t i = 0; i < objects.size(); ++i) objects[i]->known = lost[i];
    return;
  }
}

// --- Looks

std::string Client::PlanLook(const Object& o, const Place& place) {
  const bool gaps = world_.options.known_gaps;
  switch (o.kind) {
    case Kind::kBlock:
      switch (Random(5)) {
        case 0:
          return place.gateway && !gaps ? "pread" : "load";
        case 1:
          return place.gateway && !gaps ? "pread" : "sendfile";
        case 2:
          return "pread";
        default:
          return "held_read";
      }
    case Kind::kDirectBlock:
      return Random(3) == 0 ? "direct_read" : Random(2) == 0 ? "pread" : "held_read";
    case Kind::kFile:
      return Random(2) == 0 ? "read" : Random(3) == 0 ? "getxattr" : "stat";
    case Kind::kName:
      break;
  }
  return Random(3) == 0 ? "list" : Random(2) == 0 ? "stat" : "read";
}

bool Client::Look(Object& o, const Place& place) {
  const std::string operation = PlanLook(o, place);
  Objects seen{&o};
  std::string path = o.path;
  if (operation == "list") {
    path = path.substr(0, path.find('/'));
    seen = world_.directories.at(path);
  }
  std::vector<uint64_t> lost;
  for (const Object* object : seen) {
    lost.push_back(object->lost);
    if (!object->Known()) return false;
  }
  const bool block = o.kind == Kind::kBlock || o.kind == Kind::kDirectBlock;
  const std::string request =
      operation + " " + place.Path(path) + (block ? " " + std::to_string(o.offset) : "");
  const Answer answer = world_.Ask(number_, place, request);
  const bool absent = answer.error == ENOENT && o.kind == Kind::kName && operation != "list";
  if (!answer.ok() && !absent) {
    Judge(answer, place, request);
    if (answer.outcome == Answer::Outcome::kFailed) world_.At(place.node).suspect = true;
    return false;
  }
  for (size_t i = 0; i < seen.size(); ++i) {
    if (seen[i]->lost != lost[i]) return false;
  }
  ++world_.counters.looks;
  Op look;
  look.process = static_cast<uint32_t>(number_) * 100 + place.id();
  look.place = place.id();
  look.start = answer.sent;
  look.end = answer.received;
  if (operation == "list") {
    look.kind = Op::Kind::kList;
    look.object = path;
    for (size_t i = 0; i + 1 < answer.results.size(); i += 2) {
      look.values.push_back(answer.results[i]);
      Op inode = look;
      inode.kind = Op::Kind::kRead;
      inode.object = "inode:" + path + "/" + answer.results[i];
      inode.values = {answer.results[i + 1]};
      world_.Record(inode);
    }
    world_.Record(look);
    return true;
  }
  for (const auto& [name, values] : Seen(o, operation, answer)) {
    look.object = name;
    look.values = values;
    world_.Record(look);
  }
  return true;
}

// --- The course of it

bool Client::SetUp() {
  const Place place{1, false};
  const auto make = [&](const std::string& request) {
    const Answer answer = world_.Ask(number_, place, request);
    if (!answer.ok()) world_.Complain("set-up: " + request + ": " + std::strerror(answer.error));
    return answer.ok();
  };
  if (!make("mkdir " + place.Path(""))) return false;
  for (const auto& [directory, names] : world_.directories) {
    if (!make("mkdir " + place.Path(directory))) return false;
  }
  for (const auto& o : world_.objects) {
    const bool name = o->kind == Kind::kName;
    if (!name && o->offset == 0 && !make("create " + place.Path(o->path) + " 0 0")) return false;
    Writes none;
    for (const Step& step : PlanRepair(*o)) {
      if (!Do(step, place, none)) return false;
    }
  }
  Flush();
  return make("sync " + place.Path(""));
}

void Client::Episode() {
  Object& object = RandomObject();
  Object* other = nullptr;
  if (!object.Take()) {
    Look(object, RandomPlace());
    return;
  }
  Objects objects{&object};
  if (object.kind == Kind::kName && object.present && Random(2) == 0) {
    const auto& names = world_.directories.at(object.path.substr(0, object.path.find('/')));
    other = names[Random(names.size())];
    if (other == &object || !other->Take()) other = nullptr;
  }
  if (other != nullptr) objects.push_back(other);
  for (uint64_t i = Random(4); i > 0; --i) Look(object, RandomPlace());  // so that it is cached somewhere
  const Place place = RandomPlace();
  Change(objects, place, PlanChange(object, other));
  for (uint64_t i = 3 + Random(5); i > 0 && !world_.stop; --i) {
    const Place reader = RandomPlace();
    if (Look(*objects[Random(objects.size())], reader) && reader.id() != place.id())
      ++world_.counters.announced;
  }
  for (Object* o : objects) o->Give();
}

void Client::Run() {
  while (!world_.stop) {
    if (Random(3) != 0) {
      Episode();
    } else {
      Look(RandomObject(), RandomPlace());
    }
  }
}

}  // namespace ocfsgw::cluster
