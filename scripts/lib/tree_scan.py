"""Reads a whole directory tree (every name, attribute and byte), times the system calls, and compares two such readings."""
import hashlib
import os
import stat
import time

CHUNK = 1 << 20
now = time.perf_counter


class Scan:
    """What was found under `root`: relative path -> [mode, size, nlink, uid, gid, mtime in ns, content], where content is
    the SHA-256 of a file, the target of a symlink, the names in a directory, or the error that reading it gave."""

    def __init__(self, records=None, seconds=0.0):
        self.records = records if records is not None else {}
        self.seconds = seconds      # spent in system calls; hashing is not counted

    @property
    def files(self):
        return sum(1 for record in self.records.values() if stat.S_ISREG(record[0]))

    def look(self, root, path):
        """Reads one name; returns the names in it if it is a directory."""
        full = os.path.join(root, path) if path else root
        names, content, attributes = [], None, [0] * 6
        started = now()
        try:
            st = os.lstat(full)
            attributes = [st.st_mode, st.st_size, st.st_nlink, st.st_uid, st.st_gid, st.st_mtime_ns]
            if stat.S_ISDIR(st.st_mode):
                names = content = sorted(os.listdir(full))
            elif stat.S_ISLNK(st.st_mode):
                content = os.readlink(full)
            elif stat.S_ISREG(st.st_mode):
                data = []
                fd = os.open(full, os.O_RDONLY)
                try:
                    while chunk := os.read(fd, CHUNK):
                        data.append(chunk)
                finally:
                    os.close(fd)
                self.seconds += now() - started
                content = hashlib.sha256(b"".join(data)).hexdigest()
                started = now()
        except FileNotFoundError:
            self.seconds += now() - started
            self.records.pop(path, None)
            return []
        except OSError as error:
            content = f"error: {error.strerror}"
        self.seconds += now() - started
        self.records[path] = attributes + [content]
        return names


def scan(root):
    found = Scan()
    todo = [""]
    while todo:
        path = todo.pop()
        todo.extend(os.path.join(path, name) for name in reversed(found.look(root, path)))
    return found


def scan_paths(root, paths):
    found = Scan()
    for path in paths:
        found.look(root, path)
    return found


FIELDS = ("mode", "size", "nlink", "uid", "gid", "mtime", "content")


def differences(truth, seen):
    """One line per path that is missing, too many, or not the same in every field. Two dicts of records."""
    for path in sorted(truth.keys() | seen.keys()):
        expected, got = truth.get(path), seen.get(path)
        if expected is None:
            yield f"{path!r}: is gone, but the gateway still shows it"
        elif got is None:
            yield f"{path!r}: is there, but the gateway does not show it"
        elif expected != got:
            fields = [f"{name} {b!r:.90} instead of {a!r:.90}" for name, a, b in zip(FIELDS, expected, got) if a != b]
            yield f"{path!r}: {', '.join(fields)}"
