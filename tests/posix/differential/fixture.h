#pragma once

#include <string>

namespace ocfsgw::posixdiff {

/// Fills an empty directory with what the sequences start from: files and directories of all three users,
/// links of all kinds, times long past. Throws std::runtime_error.
void MakeFixture(const std::string& directory);

/// Everything below a directory, a line each, sorted: name, attributes, contents, extended attributes, and
/// which names are one file. Throws std::runtime_error if the directory cannot be listed.
std::string TreeText(const std::string& directory);

/// Removes a directory and what is in it, also what was made immutable.
void RemoveTree(const std::string& directory);

}  // namespace ocfsgw::posixdiff
