#include "tests/cluster/soak/client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

namespace ocfsgw::cluster {
namespace {

using Kind = Object::Kind;
using history::kAbsent;
using history::kPresent;
using Op = history::Operation;

constexpr uint64_t kFocus = 3;                // objects that half the operations go to,
constexpr uint64_t kFocusNs = 2'000'000'000;  // for so long

void Add(Writes& writes, const Writes& more) { writes.insert(writes.end(), more.begin(), more.end()); }

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
  ++world_.counters.failed;
  if (!answer.excused) {
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
  Add(unsure, step.unsure);
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

void Client::Sweep(int clients) {
  for (auto i = static_cast<size_t>(number_); i < world_.objects.size(); i += static_cast<size_t>(clients)) {
    for (int node = 1; node <= world_.nodes(); ++node) {
      for (const bool gateway : {false, true}) Look(*world_.objects[i], Place{node, gateway});
    }
  }
}

}  // namespace ocfsgw::cluster
