#!/usr/bin/python3 -IS
"""What `scripts/locks` runs inside a node: the writer's and the reader's half of each scenario. Prints one line of JSON; a
reader's says how many operations it has done in how many seconds."""
import json
import os
import shutil
import sys
import threading
import time

FILES_PER_DIRECTORY = 25
SESSION_BYTES, SESSIONS_NEW = 600, 20        # bytes of a session; how many of the churn's are there at a time
LINE = b"x" * 119 + b"\n"


def write(path, size):
    with open(path, "wb", buffering=0) as file:
        file.write(bytes(size))


def read(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def at_rate(per_second, seconds, call):
    """call(0), call(1), ... so often; the next ones at once where one took too long, so that all that is asked for is done."""
    started, done = time.monotonic(), 0
    while (now := time.monotonic() - started) < seconds:
        call(done)
        done += 1
        time.sleep(max(0.0, done / per_second - (time.monotonic() - started)))
    return {"operations": done, "seconds": now}


# --- trees

def make(directory, files, size):
    for i in range(files):
        if i % FILES_PER_DIRECTORY == 0:
            os.makedirs(f"{directory}/d{i // FILES_PER_DIRECTORY}")
        write(f"{directory}/d{i // FILES_PER_DIRECTORY}/{i}.php", size)
    os.sync()


def walk(directory):
    """Each file: its name, attributes and bytes."""
    started, done = time.monotonic(), 0
    for entry in sorted(os.scandir(directory), key=lambda e: e.name):
        for file in sorted(os.scandir(entry.path), key=lambda e: e.name):
            os.stat(file.path)
            read(file.path)
            done += 1
    return {"operations": done, "seconds": time.monotonic() - started}


def drop_caches():
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3\n")


def take_memory():
    """A process takes memory until the kernel, which has given up all else that it can, kills that process."""
    pid = os.fork()
    if pid == 0:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        taken = []
        while True:
            taken.append(b"x" * (1 << 20))
    os.waitpid(pid, 0)


def walks_again(directory, times, loss, quiet):
    """Walks, after each of which the kernel loses what it has cached; waits until the lock manager has given up its locks, too."""
    done, seconds = 0, 0.0
    for _ in range(times):
        one = walk(directory)
        done, seconds = done + one["operations"], seconds + one["seconds"]
        globals()[loss]()
    time.sleep(quiet)
    return {"operations": done, "seconds": seconds}


# --- sessions: files of a directory in which others come and go

def churn(directory, per_second, seconds):
    def one(i):
        write(f"{directory}/new{i}", SESSION_BYTES)
        if i >= SESSIONS_NEW:
            os.unlink(f"{directory}/new{i - SESSIONS_NEW}")

    done = at_rate(per_second, seconds, one)
    for i in range(max(0, done["operations"] - SESSIONS_NEW), done["operations"]):
        os.unlink(f"{directory}/new{i}")


def make_sessions(directory, count):
    os.makedirs(directory)
    for i in range(count):
        write(f"{directory}/hot{i}", SESSION_BYTES)
    os.sync()


def read_hot(directory, count, per_second, seconds):
    return at_rate(per_second, seconds, lambda i: read(f"{directory}/hot{i % count}"))


def look_missing(directory, per_second, seconds):
    return at_rate(per_second, seconds, lambda i: os.path.exists(f"{directory}/none{i % 50}"))


# --- one writer, many readers

def rewrite(directory, count, per_second, seconds):
    return at_rate(per_second, seconds, lambda i: write(f"{directory}/hot{i % count}", SESSION_BYTES + i))


def read_many(directory, count, readers, per_second, seconds):
    results = []
    threads = [threading.Thread(target=lambda: results.append(read_hot(directory, count, per_second, seconds)))
               for _ in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"operations": sum(r["operations"] for r in results), "seconds": max(r["seconds"] for r in results)}


# --- releases: `current` is a symbolic link to one of them

def release(directory, number, files):
    make(f"{directory}/releases/{number}", files, 3000)
    os.symlink(f"releases/{number}", f"{directory}/next")
    os.rename(f"{directory}/next", f"{directory}/current")
    shutil.rmtree(f"{directory}/releases/{number - 2}", ignore_errors=True)


def deploy(directory, files, first, every, seconds):
    at_rate(1 / every, seconds, lambda i: release(directory, first + i, files))


def read_release(directory, files, per_second, seconds):
    def one(i):
        number = i % files
        try:
            read(f"{directory}/current/d{number // FILES_PER_DIRECTORY}/{number}.php")
        except FileNotFoundError:            # the release was removed between two steps of the path
            pass
    return at_rate(per_second, seconds, one)


# --- a log

def append(path, per_second, seconds):
    with open(path, "ab", buffering=0) as file:
        at_rate(per_second, seconds, lambda _: file.write(LINE))


def tail(path, per_second, seconds):
    fd = os.open(path, os.O_RDONLY)
    at = os.fstat(fd).st_size

    def one(_):
        nonlocal at
        while at < os.fstat(fd).st_size:
            at += len(os.pread(fd, 1 << 16, at))

    return at_rate(per_second, seconds, one)


if __name__ == "__main__":
    done = globals()[sys.argv[1]](*json.loads(sys.argv[2]))
    print(json.dumps(done))
