"""podman with images and containers of its own, in a directory that can be removed afterwards: nothing of the machine's is
touched. Needs root, runc, and the image made by scripts/image."""
import os
import subprocess
from pathlib import Path

# Where limits cannot be raised (containers, some virtual machines) runc fails on those that podman asks for; crun refuses a
# cgroup file system of both versions.
RUNTIME = """#!/usr/bin/python3 -IS
import json, os, sys
for word, value in zip(sys.argv, sys.argv[1:]):
    if word in ("--bundle", "-b", "--process", "-p"):
        file = os.path.join(value, "config.json") if word in ("--bundle", "-b") else value
        with open(file) as config: spec = json.load(config)
        spec.get("process", spec).pop("rlimits", None)
        with open(file, "w") as config: json.dump(spec, config)
os.execvp("runc", ["runc", *sys.argv[1:]])
"""


class ContainerError(Exception):
    """One line: what podman said."""


class Podman:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)
        runtime = self.directory / "runtime"
        runtime.write_text(RUNTIME)
        runtime.chmod(0o755)
        (self.directory / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        self.command = ["podman", "--root", f"{directory}/root", "--runroot", f"{directory}/run", "--tmpdir", f"{directory}/tmp",
                        "--runtime", str(runtime), "--cgroup-manager", "cgroupfs", "--events-backend", "none",
                        "--log-level", "fatal"]

    def __call__(self, *words, patience=120, check=True):
        """What the command prints. ContainerError if it fails; with check=False the exit status and all output instead."""
        try:
            done = subprocess.run([*self.command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE if check else subprocess.STDOUT, text=True, timeout=patience)
        except subprocess.TimeoutExpired:
            raise ContainerError(f"podman {words[0]}: no end after {patience} s") from None
        if not check:
            return done.returncode, done.stdout
        if done.returncode != 0:
            raise ContainerError(f"podman {words[0]}: {' '.join(done.stderr.split()) or done.returncode}")
        return done.stdout

    def load(self, archive):
        """The name of the image in a docker-archive."""
        out = self("load", "--quiet", "--signature-policy", f"{self.directory}/policy.json", "--input", str(archive))
        return out.split()[-1]

    def close(self):
        self("rm", "--force", "--all", "--time", "0", check=False)
        unmount_below(self.directory)
        subprocess.run(["rm", "-rf", "--one-file-system", str(self.directory)], check=False)


def mounts_below(directory):
    """Mount points at or below a directory in this mount namespace, the latest first."""
    points = [line.split()[4].replace("\\040", " ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [p for p in reversed(points) if p == str(directory) or p.startswith(f"{directory}/")]


def unmount_below(directory):
    for point in mounts_below(directory):
        subprocess.run(["umount", "--lazy", point], stderr=subprocess.DEVNULL, check=False)


def why_not():
    """Why containers cannot be run here, or None."""
    if os.geteuid() != 0:
        return "not root"
    for program in ("podman", "runc"):
        if subprocess.run(["sh", "-c", f"command -v {program}"], stdout=subprocess.DEVNULL, check=False).returncode != 0:
            return f"no {program}: scripts/deps test installs it"
    return None


