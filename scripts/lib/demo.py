#!/usr/bin/env python3
"""Entry points of scripts/demo, which has built the programs and put them on the PATH.

  demo.py local                       on this machine
  demo.py cluster                     boots the lab, runs the next two in its nodes, takes it down
  demo.py writer FILES                node 1
  demo.py reader                      node 2
Exit status 0 only if every byte was right; 1 if not, 4 if it could not be done."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from gateway import Gateway, GatewayError, findable
from session import ClusterSession, LocalSession, say
from writer import RemoteWriter, Writer, serve

FILES = 2000
SHARED, LAB_CACHE = "/mnt/shared/demo", "/var/cache/ocfsgw-lab/demo"     # in a node
SCRIPTS = pathlib.Path(__file__).resolve().parent.parent


def local():
    work = tempfile.mkdtemp(prefix="ocfsgw-demo-")
    source, mount_point, cache = (os.path.join(work, name) for name in ("source", "mount", "cache"))
    for directory in (source, mount_point, cache):
        os.mkdir(directory)
    gateway = Gateway(source, mount_point, f"cache_dir={cache},cache_size=512M,lease=local")
    try:
        with findable():
            return LocalSession(gateway, Writer(source, FILES), source).run()
    finally:
        gateway.clean_up()
        if not gateway.mounted():
            shutil.rmtree(work)


def cluster():
    work = tempfile.mkdtemp(prefix="ocfsgw-demo-")
    lab = {**os.environ, "OCFSGW_LAB": os.path.join(work, "lab")}
    control = str(SCRIPTS / "cluster")
    me = f"/usr/bin/python3 -B {pathlib.Path(__file__).resolve()}"
    writer = None
    try:
        subprocess.run([control, "up", "2"], check=True, env=lab)
        writer = subprocess.Popen([control, "on", "1", f"{me} writer {FILES}"], env=lab)
        return subprocess.run([control, "on", "2", f"{me} reader"], env=lab).returncode
    finally:
        if writer:
            writer.terminate()
            writer.wait()
        subprocess.run([control, "down"], env=lab)
        shutil.rmtree(work, ignore_errors=True)


def writer(files):
    os.mkdir(SHARED)
    serve(SHARED, int(files))
    return 0


def reader():
    mount_point = tempfile.mkdtemp(prefix="ocfsgw-demo-")
    os.mkdir(LAB_CACHE)
    gateway = Gateway(SHARED, mount_point, f"cache_dir={LAB_CACHE},cache_size=512M,lease=o2dlm,dlmfs=/dlm")
    remote = RemoteWriter("192.0.2.1")
    try:
        return ClusterSession(gateway, remote, SHARED).run()
    finally:
        gateway.clean_up()
        remote.close()


def main(arguments):
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    commands = {("local", 0): local, ("cluster", 0): cluster, ("writer", 1): writer, ("reader", 0): reader}
    command = commands.get((arguments[0], len(arguments) - 1)) if arguments else None
    if not command:
        print(__doc__, file=sys.stderr)
        return 1
    try:
        return command(*arguments[1:])
    except KeyboardInterrupt:
        return 130
    except (GatewayError, OSError, subprocess.CalledProcessError) as error:
        say(f"scripts/demo: {error}")
        return 4


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
