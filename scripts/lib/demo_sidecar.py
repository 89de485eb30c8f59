#!/usr/bin/env python3
"""The course of scripts/demo --sidecar, which has built the programs and the image.

  demo_sidecar.py IMAGE.tar INJECTOR
Exit status 0 only if the application has seen what it had to; 1 if not, 2 if containers cannot be run, 4 if it failed."""
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import podman
from injected_pod import injected, pod as make_pod
from node import Node
from sample_tree import SampleTree
from session import SETTLE_SECONDS, percent, say

FILES = 2000
APPLICATION = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
READ = "cd /var/www && find . -type f -print0 | sort -z | xargs -0 cat | sha256sum"
HIT_RATIO_MIN = 0.99


class Demo:
    def __init__(self, node, injector):
        self.node, self.injector, self.failures = node, injector, 0

    def check(self, good, line):
        self.failures += not good
        say(f"  {'ok ' if good else 'NOT'} {line}")

    def run(self):
        document = make_pod("shop", APPLICATION, init="ls /var/www | wc -l >/dev/null")
        say("the pod asks by annotation; the injector's patch makes of it")
        patched = injected(document, self.injector)
        self.show(patched)
        say("a pod in the kubelet's order: sidecar until it serves, init container, application")
        self.read(self.start(patched), "cold", 0.0)
        self.pod.delete()
        say("the next pod of this node, with the same cache")
        self.read(self.start(patched), "warm", HIT_RATIO_MIN)
        self.change()
        self.kill()
        self.end()
        say("every byte was right, nothing is left" if not self.failures else f"{self.failures} checks failed")
        return 1 if self.failures else 0

    def show(self, patched):
        spec = patched["spec"]
        for container in spec["initContainers"] + spec["containers"]:
            mounts = [f"{m['name']} at {m['mountPath']} ({m.get('mountPropagation', 'None')})" for m in container["volumeMounts"]]
            kind = "sidecar" if container.get("restartPolicy") else "init container" if container in spec["initContainers"] else "application"
            say(f"  {kind} {container['name']}: {'; '.join(mounts)}")
        say(f"  options: {spec['initContainers'][0]['args'][-1]}")

    def start(self, patched):
        start = time.monotonic()
        self.pod = self.node.pod(patched)
        self.pod.start()
        say(f"  started in {time.monotonic() - start:.1f} s")
        return self.pod

    def truth(self):
        return subprocess.run(READ.replace("/var/www", str(self.node.volume)), shell=True, capture_output=True, text=True,
                              check=True).stdout

    def stats(self):
        return json.loads(self.pod.execute("ocfsgw", "ocfsgwctl", "--json", "stats"))

    def read(self, pod, name, ratio_min):
        start = time.monotonic()
        seen = pod.execute("web", "sh", "-c", READ)
        seconds = time.monotonic() - start
        store, backend = (self.stats()[f'ocfsgw_block_reads_total{{from="{source}"}}'] for source in ("store", "backend"))
        ratio = store / max(store + backend, 1)
        self.check(seen == self.truth() and ratio >= ratio_min,
                   f"{name}: the application has read all files in {seconds:.1f} s, {percent(ratio)} of the blocks from the cache")

    def change(self):
        say("a file is changed behind the gateway's back")
        file = self.node.volume / "changed.php"
        file.write_text("one")
        seen = [self.pod.execute("web", "cat", "/var/www/changed.php")]
        file.write_text("two")
        seen.append(self.pod.execute("web", "cat", "/var/www/changed.php"))
        self.check(seen == ["one", "two"], "the application sees it at once")

    def kill(self):
        say("kill -9 of the whole sidecar, and what the kubelet does then")
        web = self.pod.process("web")
        os.kill(self.pod.process("ocfsgw"), signal.SIGKILL)
        while self.pod.process("ocfsgw"):
            time.sleep(0.05)
        said = self.pod.podman("exec", self.pod.full_name("web"), "cat", "/var/www/changed.php", check=False)[1]
        self.check("not connected" in said, "meanwhile: " + " ".join(said.split()))
        self.pod.restart("ocfsgw")
        self.check(self.pod.execute("web", "sh", "-c", READ) == self.truth() and self.pod.process("web") == web,
                   "the application reads on, without being started again")

    def end(self):
        say("the pod is deleted")
        before = hashlib.sha256(self.truth().encode()).hexdigest()
        seconds, killed = self.pod.delete()
        self.check(not killed and not self.node.mounts(), f"ended in {seconds:.1f} s, nobody was killed, no mount is left on the node")
        self.check(hashlib.sha256(self.truth().encode()).hexdigest() == before, "the shared files are all there")


def main(archive, injector):
    if reason := podman.why_not():
        say(f"scripts/demo: containers cannot be run here: {reason}")
        return 2
    try:
        node = Node(archive)
    except podman.ContainerError as error:
        say(f"scripts/demo: containers cannot be run here: {error}")
        return 2
    try:
        SampleTree(str(node.volume), FILES).make()
        time.sleep(SETTLE_SECONDS)     # what has just been changed cannot be recognized as unchanged later
        return Demo(node, injector).run()
    except (podman.ContainerError, RuntimeError, OSError) as error:
        say(f"scripts/demo: {error}")
        return 4
    finally:
        node.close()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    sys.exit(main(*sys.argv[1:]))
