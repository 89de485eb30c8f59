// Extended attributes and access control lists.
#include <sys/xattr.h>

#include <algorithm>
#include <cstring>

#include "tests/posix/differential/acl.h"
#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/maker.h"

namespace ocfsgw::posixdiff {
namespace {

std::string SomeName(Maker& maker) {
  switch (maker.Below(16)) {
    case 0:
      return maker.Of<const char*>({"user.", "user", "", "nonsense.a", "system.nothing", "osx.a", "."});
    case 1:
      return "user." + std::string(maker.Of<size_t>({250, 251, 300}), 'x');
    case 2:
      return "security.capability";
    case 3:
      return "security.x";
    case 4:
      return "trusted.x";
    case 5:
    case 6:
      return "system.posix_acl_access";
    case 7:
      return "system.posix_acl_default";
    default:
      return maker.Of<const char*>({"user.a", "user.a", "user.a", "user.b", "user.\xff"});
  }
}

void MakeXattr(Maker& maker, Step& step) {
  step.path = maker.OneIn(3) ? maker.DirectoryPath() : maker.OneIn(2) ? maker.Existing() : maker.Target();
  step.text = SomeName(maker);
  step.a = maker.Of<int64_t>({0, 0, 0, XATTR_CREATE, XATTR_REPLACE, 3, 8});
  step.b = maker.Of<int64_t>({0, 1, 10, 100, 100, 1000, 1000, 3000, 3000, 70'000});
  step.c = maker.Below(1000);
}

void MakeFdXattr(Maker& maker, Step& step) {
  MakeXattr(maker, step);
  maker.UseOpen(step);
}

void MakeAcl(Maker& maker, Step& step) {
  step.path = maker.OneIn(2) ? maker.DirectoryPath() : maker.Target();
  step.text = maker.Of<const char*>({"system.posix_acl_access", "system.posix_acl_default"});
  step.a = 0;
  step.c = maker.Below(1000);
}

/// What makes sense under that name now and then, else any bytes.
std::string ValueOf(const Step& step) {
  if (step.text == "security.capability" && step.c % 4 != 0) {
    return {"\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20};  // vfs_cap_data, version 2: cap_net_bind_service
  }
  if (step.text.starts_with("system.posix_acl") && step.c % 8 != 0) return AclOf(step.c);
  return Pattern(static_cast<size_t>(step.b), step.c);
}

std::string RunSet(Actor&, const Step& step) {
  const std::string value = ValueOf(step);
  return Outcome(
      setxattr(step.path.c_str(), step.text.c_str(), value.data(), value.size(), static_cast<int>(step.a)));
}

std::string RunLset(Actor&, const Step& step) {
  const std::string value = ValueOf(step);
  return Outcome(
      lsetxattr(step.path.c_str(), step.text.c_str(), value.data(), value.size(), static_cast<int>(step.a)));
}

std::string RunFset(Actor& actor, const Step& step) {
  const std::string value = ValueOf(step);
  return Outcome(
      fsetxattr(actor.fd(step.fd), step.text.c_str(), value.data(), value.size(), static_cast<int>(step.a)));
}

std::string RunGet(Actor&, const Step& step) {
  static char value[70'000];
  const ssize_t got = getxattr(step.path.c_str(), step.text.c_str(), value, static_cast<size_t>(step.b));
  return step.b == 0 ? Outcome(got) : Bytes(got, value);
}

std::string RunFget(Actor& actor, const Step& step) {
  static char value[70'000];
  return Bytes(fgetxattr(actor.fd(step.fd), step.text.c_str(), value, sizeof value), value);
}

std::string RunList(Actor&, const Step& step) {
  char names[70'000];
  ssize_t got = listxattr(step.path.c_str(), names, step.b == 0 ? sizeof names : static_cast<size_t>(step.b));
  if (got < 0) return Outcome(got);
  std::vector<std::string> sorted;
  for (const char* at = names; at < names + got; at += std::strlen(at) + 1) sorted.emplace_back(at);
  std::sort(sorted.begin(), sorted.end());
  std::string all = "0";
  for (const std::string& name : sorted) all += " " + Quote(name);
  return all;
}

std::string RunRemove(Actor&, const Step& s) { return Outcome(removexattr(s.path.c_str(), s.text.c_str())); }
std::string RunLremove(Actor&, const Step& s) {
  return Outcome(lremovexattr(s.path.c_str(), s.text.c_str()));
}
std::string RunFremove(Actor& a, const Step& s) { return Outcome(fremovexattr(a.fd(s.fd), s.text.c_str())); }

}  // namespace

std::vector<Call> XattrCalls() {
  return {
      {"setxattr", "ptxbc", 14, MakeXattr, RunSet},       {"setxattr", "ptxbc", 8, MakeAcl, RunSet},
      {"lsetxattr", "ptxbc", 3, MakeXattr, RunLset},      {"fsetxattr", "ftxbc", 4, MakeFdXattr, RunFset},
      {"getxattr", "ptb", 8, MakeXattr, RunGet},          {"fgetxattr", "ft", 3, MakeFdXattr, RunFget},
      {"listxattr", "pb", 5, MakeXattr, RunList},         {"removexattr", "pt", 5, MakeXattr, RunRemove},
      {"removexattr", "pt", 2, MakeAcl, RunRemove},       {"lremovexattr", "pt", 2, MakeXattr, RunLremove},
      {"fremovexattr", "ft", 2, MakeFdXattr, RunFremove},
  };
}

}  // namespace ocfsgw::posixdiff
