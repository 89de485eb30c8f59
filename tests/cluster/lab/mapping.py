#!/usr/bin/python3 -IS
"""mapping.py FILE FIFO: holds a shared writable mapping of FILE's first two pages. One word list a line comes by FIFO, the answer
goes by FIFO.out: `store OFFSET BYTE`, `load OFFSET`, `sync` (msync), `end`."""
import mmap
import sys

with open(sys.argv[1], "r+b") as file:
    pages = mmap.mmap(file.fileno(), 8192)
words = [""]
while words[0] != "end":
    with open(sys.argv[2]) as requests:
        words = requests.read().split()
    answer = "ok"
    if words[0] == "store":
        pages[int(words[1])] = int(words[2])
    elif words[0] == "load":
        answer = str(pages[int(words[1])])
    elif words[0] == "sync":
        pages.flush()
    with open(sys.argv[2] + ".out", "w") as answers:
        answers.write(answer + "\n")
