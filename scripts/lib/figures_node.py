#!/usr/bin/python3 -IS
"""What `scripts/figures` runs inside a node: reads, writes and their times. Prints one line of JSON."""
import json
import os
import sys
import time


def read(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def timed(call):
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e6


def make(directory, count):
    os.makedirs(directory, exist_ok=True)
    for i in range(int(count)):
        with open(f"{directory}/{i}", "wb") as file:
            file.write(bytes(3000))


def append(directory, count):
    """Appends a byte to each file; microseconds of each write."""
    times = []
    for i in range(int(count)):
        fd = os.open(f"{directory}/{i}", os.O_WRONLY | os.O_APPEND)
        times.append(timed(lambda: os.write(fd, b"x")))
        os.close(fd)
    return times


def read_all(directory, count):
    for i in range(int(count)):
        read(f"{directory}/{i}")


def append_for(path, per_second, seconds):
    """Appends a byte so many times a second; how many."""
    started, done = time.monotonic(), 0
    with open(path, "ab", buffering=0) as file:
        while (now := time.monotonic() - started) < float(seconds):
            file.write(b"x")
            done += 1
            time.sleep(max(0.0, done / float(per_second) - now))
    return done


def read_for(path, seconds):
    """Opens, reads and closes the file in a loop; how often."""
    started, done = time.monotonic(), 0
    while time.monotonic() - started < float(seconds):
        read(path)
        done += 1
    return done


def looks_for(directory, count, seconds):
    """Looks per second: at one file after the other, by its path and from inside the directory; at an open one."""
    names = [str(i) for i in range(int(count))]
    paths = [f"{directory}/{name}" for name in names]
    os.chdir(directory)
    fd = os.open(names[0], os.O_RDONLY)

    def missing(path):
        try:
            os.stat(path + "-missing")
        except FileNotFoundError:
            pass

    looks = {"stat of a path": (os.stat, paths), "stat from inside": (os.stat, names),
             "missing, by path": (missing, paths), "missing, from inside": (missing, names),
             "open+read+close of a path": (read, paths), "open+read+close from inside": (read, names),
             "fstat+pread of an open file": (lambda _: (os.fstat(fd), os.pread(fd, 4096, 0)), names)}
    rates = {}
    for label, (look, files) in looks.items():
        started, done = time.monotonic(), 0
        while time.monotonic() - started < float(seconds):
            for file in files:
                look(file)
            done += len(files)
        rates[label] = done / (time.monotonic() - started)
    return rates


if __name__ == "__main__":
    actions = {f.__name__: f for f in (make, append, read_all, append_for, read_for, looks_for)}
    print(json.dumps(actions[sys.argv[1]](*sys.argv[2:])))
