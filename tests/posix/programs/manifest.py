#!/usr/bin/env python3
"""Everything a copy of a tree should keep, one line per name and field, sorted by name:

    manifest.py DIRECTORY [--without FIELD[,FIELD...]] [--skip NAME[,NAME...]]

Fields: type, mode, owner, size, mtime, device, target, hash, xattrs, links, holes. Access times, change times and inode
numbers are left out; `links` names the first path of the same inode. Names called as in --skip are left out with
what is below them."""
import argparse
import hashlib
import os
import stat

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
         stat.S_IFCHR: "char", stat.S_IFBLK: "block"}
CHUNK = 1 << 20


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()[:20]


def data_ranges(path):
    """What is not a hole, as lseek(2) tells."""
    ranges, fd = [], os.open(path, os.O_RDONLY)
    try:
        end, offset = os.fstat(fd).st_size, 0
        while offset < end:
            try:
                begin = os.lseek(fd, offset, os.SEEK_DATA)
            except OSError:     # ENXIO: only a hole is left
                break
            offset = os.lseek(fd, begin, os.SEEK_HOLE)
            ranges.append(f"{begin}-{offset}")
    finally:
        os.close(fd)
    return ",".join(ranges)


def xattrs(path):
    return ",".join(f"{name}={os.getxattr(path, name, follow_symlinks=False).hex()}"
                    for name in sorted(os.listxattr(path, follow_symlinks=False)))


def describe(path, shown, first):
    st = os.lstat(path)
    kind = TYPES[stat.S_IFMT(st.st_mode)]
    fields = {"type": kind, "mode": oct(stat.S_IMODE(st.st_mode)), "owner": f"{st.st_uid}:{st.st_gid}",
              "mtime": f"{st.st_mtime_ns // 10**9}.{st.st_mtime_ns % 10**9:09}", "xattrs": xattrs(path)}
    if kind == "file":
        fields |= {"size": st.st_size, "hash": sha256(path), "holes": data_ranges(path)}
    if kind == "link":
        fields |= {"size": st.st_size, "target": ascii(os.readlink(path))}
    if kind in ("char", "block"):
        fields["device"] = f"{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}"
    if kind != "dir":
        fields["links"] = f"{st.st_nlink}:{ascii(first.setdefault(st.st_ino, shown))}"
    return fields


def manifest(root, without, skip):
    first, todo = {}, [""]
    while todo:
        relative = todo.pop()
        path = os.path.join(root, relative) if relative else root
        fields = describe(path, relative, first)
        for name, value in fields.items():
            if name not in without:
                print(f"{ascii(relative)} {name}={value}")
        if fields["type"] == "dir":
            todo += [os.path.join(relative, name) for name in sorted(os.listdir(path), reverse=True) if name not in skip]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--without", default="", help="fields, separated by commas")
    parser.add_argument("--skip", default="", help="names, separated by commas")
    arguments = parser.parse_args()
    manifest(arguments.directory, arguments.without.split(","), arguments.skip.split(","))
