#pragma once

#include "tests/posix/storms/crew.h"

// The storms. Each prints what is wrong and returns false.
namespace ocfsgw::storms {

/// Of those who create one name (file, directory, link, symbolic link) at once, one succeeds.
bool Creators(const Scene& scene);
/// Lock files made with O_EXCL exclude, and what is written under one is seen under the next.
bool LockFiles(const Scene& scene);
/// A file, or a directory with a file in it, that is renamed to and fro is always at the place where it is.
bool Movers(const Scene& scene);
/// A file that is replaced by rename is always there and always whole, and never an older one than before.
bool Replacers(const Scene& scene);
/// Link counts are right whenever all stand still.
bool Linkers(const Scene& scene);
/// A listing has each name that is there throughout exactly once, whatever else comes and goes.
bool Listers(const Scene& scene);
/// Of what many append to one file nothing is lost or torn.
bool Appenders(const Scene& scene);
/// The same with descriptors that are open for reading, too.
bool ReadingAppenders(const Scene& scene);
/// Each process changes names of its own in directories that all share, and keeps a model of them.
bool Neighbours(const Scene& scene);

}  // namespace ocfsgw::storms
