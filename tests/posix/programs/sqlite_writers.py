"""Several processes count in one database; prints the sums, which have to be exact.

    sqlite_writers.py DATABASE JOURNAL_MODE PROCESSES TRANSACTIONS"""
import multiprocessing
import sqlite3
import sys

BUSY_S = 60     # longest wait for the other writers


def connect(path, mode):
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    got = database.execute(f"PRAGMA journal_mode={mode}").fetchone()[0]
    if got != mode.lower():
        sys.exit(f"journal mode {got} instead of {mode}")
    return database


def write(path, mode, writer, transactions, start):
    database = connect(path, mode)
    start.wait()
    for number in range(transactions):
        database.execute("BEGIN IMMEDIATE")
        value = database.execute("SELECT value FROM counter").fetchone()[0]
        database.execute("UPDATE counter SET value = ?", (value + 1,))
        database.execute("INSERT INTO log VALUES (?, ?, ?)", (writer, number, "x" * (number * 37 % 5000)))
        # A transaction in seven is taken back, for the journal's sake.
        database.execute("ROLLBACK" if number % 7 == 6 else "COMMIT")
    database.close()


def main(path, mode, processes, transactions):
    database = connect(path, mode)
    database.execute("CREATE TABLE counter (value INTEGER)")
    database.execute("CREATE TABLE log (writer INTEGER, number INTEGER, padding TEXT, UNIQUE (writer, number))")
    database.execute("INSERT INTO counter VALUES (0)")
    database.close()

    start = multiprocessing.Barrier(processes)
    writers = [multiprocessing.Process(target=write, args=(path, mode, i, transactions, start)) for i in range(processes)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    database = connect(path, mode)
    print("exit statuses", [writer.exitcode for writer in writers])
    print("counter", database.execute("SELECT value FROM counter").fetchone()[0])
    print("log", database.execute("SELECT count(*), sum(writer), sum(number), sum(length(padding)) FROM log").fetchone())
    print("integrity", database.execute("PRAGMA integrity_check").fetchone()[0])
    database.execute("VACUUM")
    print("integrity", database.execute("PRAGMA integrity_check").fetchone()[0])
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
