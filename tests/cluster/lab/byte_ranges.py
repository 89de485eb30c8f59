#!/usr/bin/python3 -IS
"""byte_ranges.py FILE FIFO: a process with byte-range locks on FILE. One word list a line comes by FIFO, the answer goes by
FIFO.out, an errno's name where a call failed:
  set|wait|ofd TYPE FIRST LENGTH   F_SETLK, F_SETLKW, F_OFD_SETLK; TYPE is r, w or u, LENGTH 0 is to the end
  alarmed TYPE FIRST LENGTH        F_SETLKW that a signal interrupts after 0.3 s
  get TYPE FIRST LENGTH            F_GETLK: `free`, or TYPE FIRST LENGTH and `mine` or `other` for a process here or elsewhere
  close                            opens FILE once more and closes it
  reopen                           closes FILE, opens it again
  count N                          N times, under a lock: reads the number in FILE, writes the next
  insert NAME N                    N transactions on the SQLite database FILE.db
  end
"""
import errno, fcntl, os, signal, sqlite3, struct, sys

TYPES = {"r": fcntl.F_RDLCK, "w": fcntl.F_WRLCK, "u": fcntl.F_UNLCK}
OFD_SETLK = 37
path, fifo = sys.argv[1:]
fd = os.open(path, os.O_RDWR | os.O_CREAT)


def lock(command, kind, first, length):
    flock = struct.pack("hhqqi", TYPES[kind], os.SEEK_SET, int(first), int(length), 0)
    return struct.unpack("hhqqi", fcntl.fcntl(fd, command, flock))


def interrupt(*_):
    raise InterruptedError(errno.EINTR, "alarm")


def count(times):
    for _ in range(times):
        lock(fcntl.F_SETLKW, "w", 100, 1)
        number = int(os.pread(fd, 20, 0) or b"0")
        os.pwrite(fd, b"%019d\n" % (number + 1), 0)
        lock(fcntl.F_SETLK, "u", 100, 1)


def insert(name, times):
    database = sqlite3.connect(path + ".db", timeout=60, isolation_level=None)
    database.execute("create table if not exists rows(name, number)")
    for number in range(times):
        database.execute("begin immediate")
        database.execute("insert into rows values (?, ?)", (name, number))
        database.execute("commit")
    database.close()


def get(*what):
    kind, _, first, length, pid = lock(fcntl.F_GETLK, *what)
    if kind == fcntl.F_UNLCK:
        return "free"
    name = next(name for name, value in TYPES.items() if value == kind)
    return f"{name} {first} {length} {'mine' if pid and os.path.exists(f'/proc/{pid}') else 'other'}"


def do(verb, *words):
    global fd
    if verb == "get":
        return get(*words)
    if verb in ("set", "wait", "ofd"):
        lock({"set": fcntl.F_SETLK, "wait": fcntl.F_SETLKW, "ofd": OFD_SETLK}[verb], *words)
    elif verb == "alarmed":
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.3, 0.3)
        try:
            lock(fcntl.F_SETLKW, *words)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    elif verb == "close":
        os.close(os.open(path, os.O_RDONLY))
    elif verb == "reopen":
        os.close(fd)
        fd = os.open(path, os.O_RDWR)
    elif verb == "count":
        count(int(words[0]))
    elif verb == "insert":
        insert(words[0], int(words[1]))
    return "ok"


request = [""]
while request[0] != "end":
    with open(fifo) as requests:
        request = requests.read().split()
    try:
        answer = do(*request)
    except OSError as error:
        answer = errno.errorcode[error.errno]
    with open(fifo + ".out", "w") as answers:
        answers.write(answer + "\n")
