"""The demonstration itself: passes over the mount, each compared with the truth, and the table of what came out."""
import os
import time

import plain_tools
import sample_tree
import tree_scan

# A time stamp older than this (tick and clock skew) proves that a file is unchanged, even after a restart.
SETTLE_SECONDS = 7
HOT_RATIO_MIN, RESTART_RATIO_MIN = 0.99, 0.95
SHOWN_MAX = 10           # differences printed per pass
HEADINGS = ("pass", "files", "hit ratio", "stale or wrong", "gateway us/file", "bare us/file", "ratio")


class Session:
    """`writer` makes, changes and reads the source; `bare` is the source as this machine mounts it."""

    def __init__(self, gateway, writer, bare):
        self.gateway, self.writer, self.bare = gateway, writer, bare
        self.rows, self.failures = [], []

    # --- what the two variants do differently

    def before_cold_pass(self):
        """Called with nothing mounted, before a pass that starts without caches of the gateway in memory."""

    def measure_start(self):
        """Called before a pass through the gateway."""

    def measure_end(self):
        """Called after it; returns more columns for the table."""
        return []

    def bare_pass(self, cold):
        """(records, seconds) of the same reading without the gateway, for the times only."""
        raise NotImplementedError

    def truth(self, bare):
        """The records that must be seen; `bare` is what bare_pass() gave."""
        raise NotImplementedError

    def changes(self):
        """Changes the source and looks at it through the gateway; makes its own row."""
        raise NotImplementedError

    # --- the course of it

    def run(self):
        say("making the sample tree")
        self.writer.make()
        say(f"waiting {SETTLE_SECONDS} s: a file changed just now cannot be recognized as unchanged later")
        time.sleep(SETTLE_SECONDS)
        self.before_cold_pass()
        self.gateway.mount()
        self.one_pass("cold", cold=True)
        self.one_pass("hot", ratio_min=HOT_RATIO_MIN)
        self.gateway.umount()
        self.before_cold_pass()
        self.gateway.mount()
        self.one_pass("after restart", cold=True, ratio_min=RESTART_RATIO_MIN)
        self.changes()
        self.one_pass("at the end")
        self.print_table()
        self.compare_tools()
        self.gateway.umount()
        return self.verdict()

    def one_pass(self, name, cold=False, ratio_min=0.0):
        say(f"pass: {name}")
        before = self.gateway.block_reads()
        self.measure_start()
        seen = tree_scan.scan(self.gateway.mount_point)
        more = self.measure_end()
        after = self.gateway.block_reads()
        bare = self.bare_pass(cold)
        wrong = self.check(name, self.truth(bare), seen.records)
        hits = hit_ratio(before, after)
        if hits < ratio_min:
            self.failures.append(f"{name}: hit ratio {percent(hits)}, required {percent(ratio_min)}")
        self.row(name, seen.files, hits, wrong, seen.seconds, bare.seconds, more)

    def check(self, name, truth, seen):
        found = list(tree_scan.differences(truth, seen))
        for line in found[:SHOWN_MAX]:
            say(f"  WRONG {line}")
        if len(found) > SHOWN_MAX:
            say(f"  ... and {len(found) - SHOWN_MAX} more")
        if found:
            self.failures.append(f"{name}: {len(found)} stale or wrong")
        return len(found)

    def row(self, name, files, hits, wrong, seconds, bare_seconds, more=()):
        mine, bare = (1e6 * s / max(files, 1) for s in (seconds, bare_seconds))
        ratio = f"{mine / bare:.2f}" if bare else "-"
        self.rows.append([name, str(files), percent(hits), str(wrong), f"{mine:.0f}", f"{bare:.0f}" if bare else "-", ratio,
                          *more])

    def print_table(self):
        table = [list(HEADINGS) + self.more_headings()] + self.rows
        for row in table:
            row.extend(["-"] * (len(table[0]) - len(row)))
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        print()
        for row in table:
            print("  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]))
        print()
        for line in self.notes():
            print(line)
        print(flush=True)

    def more_headings(self):
        return []

    def notes(self):
        return ["Each pass reads every name, attribute and byte. Hit ratio: blocks the gateway took from its page store, of",
                "all blocks it served; 100 % also where the kernel still had all of them under leases. Times: system calls of",
                "the reader, hashing not counted."]

    def compare_tools(self):
        say("plain programs, over the mount and over the source:")
        for name, wrong, note in plain_tools.compare(self.bare, self.gateway.mount_point):
            say(f"  {name}: {wrong or 'same'}{f' ({note})' if note and not wrong else ''}")
            if wrong:
                self.failures.append(f"{name}: {wrong}")

    def verdict(self):
        for failure in self.failures:
            print(f"FAILED: {failure}")
        print("every byte was right" if not self.failures else f"{len(self.failures)} checks failed", flush=True)
        return 1 if self.failures else 0


class LocalSession(Session):
    """One machine, a plain directory, lease=local. Nothing is dropped from the kernel's caches."""

    ROUNDS, CHANGES_PER_ROUND = 10, 24

    def bare_pass(self, cold):
        return tree_scan.scan(self.bare)

    def truth(self, bare):
        return bare.records

    def changes(self):
        before = self.gateway.block_reads()
        files = wrong = 0
        seconds = bare_seconds = 0.0
        for number in range(self.ROUNDS):
            for change in range(self.CHANGES_PER_ROUND):
                self.writer.change(sample_tree.KINDS[change % len(sample_tree.KINDS)])
            self.gateway.barrier()
            bare, seen = tree_scan.scan(self.bare), tree_scan.scan(self.gateway.mount_point)
            name = f"change round {number + 1} of {self.ROUNDS}"
            bad = self.check(name, bare.records, seen.records)
            say(f"{name}: {self.CHANGES_PER_ROUND} changes behind the gateway's back, {bad} stale or wrong")
            files, wrong = files + seen.files, wrong + bad
            seconds, bare_seconds = seconds + seen.seconds, bare_seconds + bare.seconds
        self.row(f"{self.ROUNDS * self.CHANGES_PER_ROUND} changes", files, hit_ratio(before, self.gateway.block_reads()), wrong,
                 seconds, bare_seconds)

    def notes(self):
        return super().notes() + [
            "Both sides have their data in memory: the source's pages are in the kernel's cache, so the times show what the",
            "way through FUSE costs. What is saved is reading the shared disk: see scripts/demo --cluster."]


class ClusterSession(Session):
    """Node 2 of the lab: the writer is node 1, the lease is OCFS2's own lock. Strict: no barrier, no waiting."""

    CHANGES = 240

    def before_cold_pass(self):
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("3\n")

    def measure_start(self):
        self.sectors = disk_sectors()

    def measure_end(self):
        self.gateway_sectors = disk_sectors() - self.sectors
        return [str(self.gateway_sectors)]

    def bare_pass(self, cold):
        if cold:
            self.before_cold_pass()
        self.measure_start()
        bare = tree_scan.scan(self.bare)
        self.bare_sectors = disk_sectors() - self.sectors
        return bare

    def truth(self, bare):
        records, _ = self.writer.scan()
        return records

    def changes(self):
        before = self.gateway.block_reads()
        self.measure_start()
        looks = wrong = 0
        seconds = 0.0
        for number in range(self.CHANGES):
            kind = sample_tree.KINDS[number % len(sample_tree.KINDS)]
            paths, truth = self.writer.change(kind)
            seen = tree_scan.scan_paths(self.gateway.mount_point, paths)
            wrong += self.check(f"change {number + 1} ({kind})", truth, seen.records)
            looks, seconds = looks + len(paths), seconds + seen.seconds
            if (number + 1) % 40 == 0:
                say(f"{number + 1} of {self.CHANGES} changes by node 1, looked at at once by node 2: {wrong} stale or wrong")
        self.row(f"{self.CHANGES} changes", looks, hit_ratio(before, self.gateway.block_reads()), wrong, seconds, 0,
                 self.measure_end())

    def row(self, name, files, hits, wrong, seconds, bare_seconds, more=()):
        super().row(name, files, hits, wrong, seconds, bare_seconds, [*more, str(self.bare_sectors) if bare_seconds else "-"])

    def more_headings(self):
        return ["gateway sectors", "bare sectors"]

    def notes(self):
        return super().notes() + [
            "Node 1 writes straight to OCFS2 and tells node 2 when its system calls have returned; node 2 looks right then, at",
            "the file and its directory. The caches of node 2's kernel are dropped before the cold pass, before the one after",
            "the restart, and before the bare readings they are compared with. Sectors: 512 bytes, read from the shared disk by",
            "node 2. The nodes are user-mode-linux: compare times within this table only."]


def disk_sectors():
    with open("/proc/diskstats") as file:
        for line in file:
            fields = line.split()
            if fields[2] == "ubda":
                return int(fields[5])
    raise OSError("/proc/diskstats does not list ubda")


def hit_ratio(before, after):
    store, backend = after[0] - before[0], after[1] - before[1]
    return store / (store + backend) if store + backend else 1.0


def percent(ratio):
    return f"{100 * ratio:.1f} %"


def say(line):
    print(line, flush=True)
