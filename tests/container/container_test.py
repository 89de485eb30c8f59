#!/usr/bin/env python3
"""Pods in real containers: the image, its process 1, mounts that reach other containers, and what becomes of an application
when its sidecar is killed, runs out of memory, or the pod is deleted under load.

    container_test.py IMAGE.tar INJECTOR [TEST...]    exit status 77 where containers cannot be run, with the reason"""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lib"))
import podman as podmans  # noqa: E402
from injected_pod import injected, pod as make_pod  # noqa: E402
from node import Node  # noqa: E402

FILES, BYTES = 200, 10_000
SOON_S = 20
IDLE = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
READ_ALL = "cat /var/www/code/* | sha256sum"


def eventually(condition, seconds=SOON_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def setUpModule():
    global node, checksum
    try:
        node = Node(ARCHIVE)
    except podmans.ContainerError as error:
        skip(str(error))
    (node.volume / "code").mkdir()
    for number in range(FILES):
        (node.volume / "code" / f"f{number:03}").write_bytes(os.urandom(BYTES))
    checksum = subprocess.run(f"cat {node.volume}/code/* | sha256sum", shell=True, capture_output=True, text=True, check=True).stdout.split()[0]


def tearDownModule():
    node.close()


class PodTest(unittest.TestCase):
    def pod_name(self):
        return self._testMethodName.replace("_", "-")

    def start(self, *args, **more):
        pod = node.pod(injected(make_pod(self.pod_name(), *args, **more), INJECTOR))
        self.addCleanup(node.clear)
        pod.start()
        return pod

    def seen(self, pod, name="web"):
        """What the application sees of the volume, or the error: in its mount namespace, without the cost of `podman exec`."""
        try:
            code = Path(f"/proc/{pod.process(name)}/root/var/www/code")
            return hashlib.sha256(b"".join((code / f).read_bytes() for f in sorted(os.listdir(code)))).hexdigest()
        except OSError as error:
            return os.strerror(error.errno)

    def assert_reads(self, pod, within_s=0):
        """The application sees what is in the volume."""
        if not eventually(lambda: self.seen(pod) == checksum, within_s):
            self.assertEqual(self.seen(pod), checksum, pod.logs("ocfsgw"))

    def stats(self, pod):
        return json.loads(pod.execute("ocfsgw", "ocfsgwctl", "--json", "stats"))

    def status(self, pod):
        return json.loads(pod.execute("ocfsgw", "ocfsgwctl", "--json", "status"))

    def gateway(self, pod):
        """The gateway's process; its guardian is process 1."""
        one = pod.process("ocfsgw")
        self.assertNotEqual(one, 0, pod.logs("ocfsgw"))
        return int(Path(f"/proc/{one}/task/{one}/children").read_text().split()[0])

    def assert_gone(self, pod):
        self.assertEqual(node.mounts(), [], "mounts left on the node")
        self.assertEqual(pod.running(), [])

    # --- tests

    def test_order_and_warm_restart(self):
        """The init container sees the mount already; a second pod reads what the first has left in the cache."""
        pod = self.start(IDLE, init="ls /var/www/code | wc -l >/var/www/early")
        self.assertEqual((node.volume / "early").read_text().strip(), str(FILES))
        self.assertEqual(pod.execute("web", "sh", "-c", READ_ALL).split()[0], checksum)
        cold = self.stats(pod)
        self.assertGreaterEqual(cold['ocfsgw_block_reads_total{from="backend"}'], FILES)
        self.assertEqual(pod.delete()[1], [])
        self.assert_gone(pod)
        pod.start()
        self.assert_reads(pod)
        warm = self.stats(pod)
        self.assertEqual(warm['ocfsgw_block_reads_total{from="store"}'], FILES)
        self.assertEqual(warm['ocfsgw_block_reads_total{from="backend"}'], 0)
        seconds, killed = pod.delete()
        self.assertEqual(killed, [])
        self.assertLess(seconds, 15)
        self.assert_gone(pod)

    def test_gateway_killed(self):
        """kill -9 of the gateway: its guardian starts another one, and the application goes on with it."""
        pod = self.start(IDLE)
        self.assert_reads(pod)
        os.kill(self.gateway(pod), 9)
        self.assert_reads(pod, within_s=SOON_S)
        self.assertEqual(self.status(pod)["restarts"], 1)
        self.assertEqual(pod.delete()[1], [])
        self.assert_gone(pod)

    def test_sidecar_killed(self):
        """kill -9 of all of the sidecar: ENOTCONN until the kubelet has started it again, and the application, which is not
        restarted, reads on. So does one that is started later."""
        pod = self.start(IDLE)
        for kills in (1, 2):
            self.assert_reads(pod)
            web = pod.process("web")
            os.kill(pod.process("ocfsgw"), 9)
            self.assertTrue(eventually(lambda: pod.process("ocfsgw") == 0))
            self.assertEqual(self.seen(pod), "Transport endpoint is not connected")
            self.assertEqual(len(node.mounts()), kills)
            pod.restart("ocfsgw")
            self.assert_reads(pod)
            self.assertEqual(pod.process("web"), web)
        pod.restart("web")
        self.assert_reads(pod)
        self.assertEqual(pod.delete()[1], [])
        self.assert_gone(pod)

    def test_out_of_memory(self):
        """The kernel kills the gateway for want of memory: as if it was killed."""
        pod = self.start(IDLE, memory="256Mi")
        self.assert_reads(pod)
        gateway = self.gateway(pod)
        Path(f"/proc/{gateway}/oom_score_adj").write_text("1000")
        # It takes all there is: first the gateway is killed, then, as it goes on, this.
        pod.podman("exec", "--detach", pod.full_name("ocfsgw"), "sh", "-c", "head -c 2G /dev/zero | tail -n 1")
        self.assertTrue(eventually(lambda: not Path(f"/proc/{gateway}").exists()), "it was not killed")
        self.assert_reads(pod, within_s=SOON_S)
        self.assertEqual(self.status(pod)["restarts"], 1)
        self.assertIn("was killed by signal 9", pod.logs("ocfsgw"))
        self.assertEqual(pod.delete()[1], [])
        self.assert_gone(pod)

    LOAD = ("trap 'stop=$(($(date +%s)+2))' TERM; mkdir -p /var/www/out; n=0; stop=0; "
            "while [ $stop = 0 ] || [ $(date +%s) -lt $stop ]; do "
            "n=$((n+1)); echo $n >/var/www/out/$n || exit 3; cat /var/www/code/f0* >/dev/null || exit 4; echo $n >/host/done; done")

    def load(self, script, change=lambda document: None):
        """A classic pod at work; the second value is a file with the number of what it has done."""
        shutil.rmtree(node.volume / "out", ignore_errors=True)
        done = node.host / "done"
        done.unlink(missing_ok=True)
        document = injected(make_pod(self.pod_name(), script), INJECTOR, classic=True)
        change(document)
        document["spec"]["volumes"].append({"name": "host", "hostPath": {"path": "/", "type": "Directory"}})
        document["spec"]["containers"][1]["volumeMounts"].append({"name": "host", "mountPath": "/host"})
        pod = node.pod(document)
        self.addCleanup(node.clear)
        pod.start()
        self.assertTrue(eventually(lambda: done.exists() and int(done.read_text() or 0) >= 5), pod.logs("web"))
        return pod, done

    def assert_nothing_lost(self, done):
        """Every write that the application was told of is in the volume, and nothing that was there has gone."""
        written = int(done.read_text())
        for number in range(1, written + 1):
            self.assertEqual((node.volume / "out" / str(number)).read_text(), f"{number}\n")
        self.assertEqual(subprocess.run(f"cat {node.volume}/code/* | sha256sum", shell=True, capture_output=True, text=True,
                                        check=True).stdout.split()[0], checksum)

    def test_deleted_under_load(self):
        """A classic pod: SIGTERM to all at once, while the application works on for 2 s: it is
        served until it ends."""
        pod, done = self.load(self.LOAD)
        seconds, killed = pod.delete()
        self.assertEqual(killed, [])
        self.assertLess(seconds, 20)
        self.assert_gone(pod)
        self.assert_nothing_lost(done)

    def test_deleted_while_the_application_will_not_end(self):
        """Grace time over, application still at work: the sidecar has ended in time, and SIGKILL meets the application only."""
        def hurry(document):
            document["spec"]["terminationGracePeriodSeconds"] = 8
            args = document["spec"]["containers"][0]["args"]
            args[-1] = re.sub(",grace_s=[0-9]+", "", args[-1]) + ",grace_s=6"

        pod, done = self.load("trap '' TERM; " + self.LOAD.split("; ", 1)[1], hurry)
        seconds, killed = pod.delete()
        self.assertIn(killed, ([], ["web"]), "the sidecar did not end in time")
        self.assertLess(seconds, 12)
        self.assert_gone(pod)
        self.assert_nothing_lost(done)


def skip(why):
    print(f"SKIPPED: containers cannot be run here: {why}", file=sys.stderr)
    os._exit(77)


if __name__ == "__main__":
    if len(sys.argv) < 3 or not all(map(os.path.exists, sys.argv[1:3])):
        print(__doc__, file=sys.stderr)
        sys.exit(1)
    ARCHIVE, INJECTOR = sys.argv.pop(1), sys.argv.pop(1)
    if reason := podmans.why_not():
        skip(reason)
    unittest.main(verbosity=2)
