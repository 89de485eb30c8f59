"""One mounted gateway: mount, umount, status, barrier."""
import contextlib
import json
import os
import shutil
import subprocess
import time

END_SECONDS = 30     # for the process to end after its umount
MOUNT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"     # what mount(8) sets for its helpers
LINK = "/usr/local/bin/ocfsgw"


class GatewayError(Exception):
    pass


def run(command):
    """Its output. A Ctrl-C waits for the command's end: half a mount could not be taken down."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    try:
        output, error = process.communicate()
    except BaseException:
        process.communicate()
        raise
    if process.returncode:
        raise GatewayError(f"{' '.join(command)}: exit status {process.returncode}: {(error or output).strip()}")
    return output


@contextlib.contextmanager
def findable():
    """While it lasts, mount(8) finds the ocfsgw of our PATH, by a link in /usr/local/bin if that is needed."""
    program = os.path.realpath(shutil.which("ocfsgw"))
    there = shutil.which("ocfsgw", path=MOUNT_PATH)
    if there and os.path.realpath(there) == program:
        yield
        return
    if there and not os.path.islink(LINK):
        raise GatewayError(f"{there} is another ocfsgw, and mount(8) would take that one; uninstall it first")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(LINK)     # a link that an interrupted run left, or a broken one
    os.symlink(program, LINK)
    try:
        yield
    finally:
        os.unlink(LINK)


class Gateway:
    def __init__(self, source, mount_point, options):
        self.source, self.mount_point, self.options = source, mount_point, options

    def mount(self):
        """Through mount(8), which finds programs of its own PATH only: see `findable`."""
        run(["mount", "-t", "fuse.ocfsgw", self.source, self.mount_point, "-o", self.options])
        if not self.mounted():
            raise GatewayError(f"mount reported success, but nothing is mounted on {self.mount_point}")

    def mounted(self):
        """By the kernel's list: a mount whose gateway has died cannot even be stat'ed."""
        with open("/proc/self/mounts") as file:
            return any(line.split()[1] == self.mount_point for line in file)

    def umount(self):
        """Returns when the process has ended too, so that the cache directory is free."""
        run(["umount", self.mount_point])
        deadline = time.monotonic() + END_SECONDS
        while self.processes():
            if time.monotonic() > deadline:
                raise GatewayError(f"the gateway has not ended {END_SECONDS} s after umount")
            time.sleep(0.02)

    def clean_up(self):
        """Whatever happened before: nothing is mounted and no process is left."""
        for option in ([], ["-l"]):
            if self.mounted():
                subprocess.run(["umount", *option, self.mount_point], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + END_SECONDS
        while (pids := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in pids:
            print(f"the gateway (pid {pid}) did not end by itself; killed", flush=True)
            os.kill(pid, 9)

    def processes(self):
        """Gateway and guardian: they have our mount point, a directory made for this run, as an argument. The guardian
        comes first, since it would start the gateway again."""
        names = [b"gw-guardian", b"ocfsgw"]
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    arguments = file.read().split(b"\0")
            except OSError:
                continue
            name = os.path.basename(arguments[0])
            if name in names and self.mount_point.encode() in arguments:
                found.append((names.index(name), int(pid)))
        return [pid for _, pid in sorted(found)]

    def barrier(self):
        run(["ocfsgwctl", "--mount", self.mount_point, "barrier"])

    def metrics(self):
        return json.loads(run(["ocfsgwctl", "--mount", self.mount_point, "status", "--json"]))["metrics"]

    def block_reads(self):
        """Blocks read since the mount, (from the page store, from the shared file system)."""
        metrics = self.metrics()
        return tuple(metrics[f'ocfsgw_block_reads_total{{from="{where}"}}'] for where in ("store", "backend"))
