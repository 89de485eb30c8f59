#include "tests/posix/differential/acl.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include "tests/posix/differential/actor.h"

namespace ocfsgw::posixdiff {
namespace {

void Append(std::string& bytes, uint64_t number, int size) {
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(number >> (8 * i));  // little endian
}

void Entry(std::string& acl, int tag, int64_t permissions, uint32_t id = ACL_UNDEFINED_ID) {
  Append(acl, static_cast<uint64_t>(tag), 2);
  Append(acl, static_cast<uint64_t>(permissions & 7), 2);
  Append(acl, id, 4);
}

}  // namespace

std::string AclOf(int64_t number) {
  std::string acl;
  const bool named = number % 3 != 0;
  Append(acl, number % 41 == 0 ? 1 : POSIX_ACL_XATTR_VERSION, 4);
  if (number % 29 == 0) return acl;
  Entry(acl, ACL_USER_OBJ, number % 7 == 0 ? 6 : 7);
  if (named) Entry(acl, ACL_USER, number >> 2, 1001 + static_cast<uint32_t>(number % 2));
  Entry(acl, ACL_GROUP_OBJ, number >> 3);
  if (number % 5 == 1) Entry(acl, ACL_GROUP, number >> 1, kSharedGroup);
  const bool needs_mask = named || number % 5 == 1;
  if (needs_mask != (number % 17 == 0)) Entry(acl, ACL_MASK, number >> 4);
  if (number % 31 != 0) Entry(acl, ACL_OTHER, number >> 5);
  if (number % 37 == 0) acl.pop_back();
  return acl;
}

}  // namespace ocfsgw::posixdiff
