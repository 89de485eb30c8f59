// What a client may do to an object, and what it then holds.
#include "tests/cluster/content.h"
#include "tests/cluster/soak/client.h"

namespace ocfsgw::cluster {
namespace {

using Kind = Object::Kind;
using history::kAbsent;
using history::kAnything;
using history::kAnythingAgain;
using history::kPresent;

constexpr size_t kFileMax = 4000;  // bytes of a small file: one page

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
          {o.Register("inode"), {kAnythingAgain, kAbsent}},
          {o.Register("file"), {kAnything, kAbsent}}};
}

Writes Joined(Writes a, const Writes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

Client::Step Client::WriteBlock(Object& o, const std::string& operation) {
  const std::string value = BlockValue(world_.next_value++, operation == "direct_write");
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
  Words sizes{size}, contents{kAnything, HashOf(content)};
  if (operation == "rewrite") {  // empty first, as after some truncations, too: a value like any other
    sizes.insert(sizes.begin(), "0");
    contents.insert(contents.begin(), HashOf({}));
  }
  const Writes writes{{o.Register("content"), contents}, {o.Register("size"), sizes}};
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

}  // namespace ocfsgw::cluster
