#!/usr/bin/env python3
"""Checks the models with spin: each in full, then once per rule with that rule removed, which must fail.

    check.py [WORD]...    only the checks whose line has one of the words

Prints one line per check: model, what was changed, outcome, states, seconds. Exit status 1 if one is not as expected."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
MEMORY_MB = 1900
STALE, STUCK, LIVELOCK, ENDLESS = ("assertion violated", "invalid end state", "acceptance cycle",
                                    "non-progress cycle")

REMOTE = ("data.pml", ["REMOTE_WRITES=1", "LEASES=2", "FIRST_OPS=1"])
UNLEASED = ("data.pml", ["REMOTE_WRITES=1", "LOCAL_WRITES=1", "LEASES=0", "FIRST_OPS=1"])
LOCAL = ("data.pml", ["REMOTE_WRITES=1", "LOCAL_WRITES=1", "LEASES=1", "FIRST_OPS=1", "SECOND_OPS=0"])
MAPPED = ("data.pml", ["REMOTE_WRITES=1", "MAPPING=1", "NOBODY_HAS_IT_OPEN", "LEASES=2", "FIRST_OPS=1"])
NAMES = ("names.pml", ["FIRST_OPS=1", "LEASES=1"])
WALKS = ("names.pml", ["FIRST_OPS=2", "SECOND_OPS=1", "LEASES=2", "CREATES=0"])
CRASH = ("crash.pml", [])
# How a model is compiled and run: for assertions and deadlocks; for the LTL formula under weak fairness; for endless
# runs.
SAFETY = (["-DSAFETY", "-DNOFAIR"], [])
LIVENESS = (["-DNFAIR=3"], ["-a", "-f"])
RUNS_END = (["-DNP", "-DNOFAIR"], ["-l"])

# What the model of a check is called, the model, how it is run, and for each rule (or situation that must be met) the
# error without it.
MODELS = {
    "data, remote writer": (REMOTE, SAFETY, {
        "NO_FORCED_RELEASE": STUCK, "NO_LEAVING_OUT": STUCK, "NO_CANCEL": STUCK, "NO_DISTRUST": STALE,
        "ANSWER_UNDER_ANY_LEASE": STALE, "KEEP_LATE_ATTRIBUTES": STALE,
        "REACH=1": STALE, "REACH=2": STALE, "REACH=3": STALE, "REACH=4": STALE}),
    "data, no lease, both writers": (UNLEASED, SAFETY, {
        "NO_TICKETS": STALE, "NO_WAIT_FOR_SUSPECTS": STALE, "CLAIM_BESIDE_WRITES": STALE}),
    "data, one lease, both writers": (LOCAL, SAFETY, {"CHANGE_KEEPS_LEASE": STUCK}),
    "data, mapping": (MAPPED, SAFETY, {
        "RELEASE_OPEN_FILES_AT_ONCE": STALE, "OPEN_KEEPS_PAGES": STALE, "COUNTED_AFTER_ANSWER": STALE,
        "REACH=5": STALE}),
    "names, creator": (NAMES, SAFETY, {
        "NO_GATE": STALE, "NO_DISTRUST": STALE, "WAIT_FOR_NAMES": STUCK, "NO_REVIVAL": STUCK, "NO_ESTALE": STUCK,
        "NO_COMPARISON": STALE, "GRANT_WITHOUT_LEASE": STALE, "KEEP_LATE_ATTRIBUTES": STALE,
        "REACH=1": STALE, "REACH=2": STALE, "REACH=3": STALE, "REACH=4": STALE}),
    "names, two walks": (WALKS, SAFETY, {"GRANT_ON_REVALIDATION": STALE, "GRANT_WHILE_SUSPECT": STALE}),
    "data, runs end": (REMOTE, RUNS_END, {}),
    "names, runs end": (NAMES, RUNS_END, {"REVIVE_WITHOUT_END": ENDLESS}),
    "crash": (CRASH, LIVENESS, {
        "NO_GUARDIAN": STALE, "NO_WAIT_FOR_THREADS": STALE, "NO_TAKING_BACK": STALE, "NO_WATCH": LIVELOCK}),
}


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def outcome(file, defines, how, optimize):
    """The error that pan finds, or "ok", or what kept it from finishing; and the number of states."""
    with tempfile.TemporaryDirectory() as folder:
        made = run(["spin", "-a"] + [f"-D{d}" for d in defines] + [str(HERE / file)], folder)
        if made.returncode != 0:
            return made.stdout + made.stderr, 0
        made = run([os.environ.get("CC", "gcc"), optimize, "-w", "-DCOLLAPSE", "-DVECTORSZ=2048", f"-DMEMLIM={MEMORY_MB}",
                    *how[0], "-o", "pan", "pan.c"], folder)
        if made.returncode != 0:
            return made.stderr, 0
        out = run(["./pan", "-m200000", "-w20", *how[1]], folder).stdout
    states = re.search(r"([0-9.e+]+) states, stored", out)
    error = re.search(r"pan:1: (assertion violated|invalid end state|acceptance cycle|non-progress cycle)", out)
    if error:
        found = error[1]
    elif "errors: 0" in out and "not completed" not in out.lower() and "max search depth too small" not in out:
        found = "ok"
    else:
        found = "not finished: " + out[-300:]
    return found, int(float(states[1])) if states else 0


def main(words):
    wrong = 0
    for name, ((file, defines), how, rules) in MODELS.items():
        for rule, expected in [("", "ok"), *rules.items()]:
            line = f"{name}: {('without ' if '=' not in rule else 'reaches ') + rule if rule else 'in full'}"
            if words and not any(word in line for word in words):
                continue
            begin = time.monotonic()
            found, states = outcome(file, defines + ([rule] if rule else []), how,
                                    "-O0" if rule else "-O1")  # what fails fails soon: compiling takes longer
            as_expected = found == expected
            wrong += not as_expected
            print(f"{line}: {found}{'' if as_expected else f', EXPECTED {expected}'}, {states} states, "
                  f"{time.monotonic() - begin:.1f} s", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
