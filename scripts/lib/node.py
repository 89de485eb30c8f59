"""A directory that plays a node of a cluster: hostPath volumes are below it, a shared volume is beside it, podman runs the
containers."""
import shutil
import subprocess
import tempfile
from pathlib import Path

import podman as podmans
from pod import Pod


class Node:
    """`archive`: the image as scripts/image makes it. podmans.ContainerError if podman cannot use it."""

    def __init__(self, archive):
        self.directory = Path(tempfile.mkdtemp(prefix="ocfsgw-containers-"))
        self.host, self.volume = self.directory / "host", self.directory / "volume"
        self.host.mkdir()
        self.volume.mkdir()
        # Mounts in it are to reach containers, and nothing else of this machine.
        for words in (["--bind", self.host, self.host], ["--make-private", self.host], ["--make-shared", self.host]):
            subprocess.run(["mount", *map(str, words)], check=True)
        self.podman = podmans.Podman(self.directory / "podman")
        try:
            self.image = self.podman.load(archive)
            self.podman("run", "--rm", "--network", "none", "--entrypoint", "/bin/true", self.image)
        except podmans.ContainerError:
            self.close()
            raise

    def close(self):
        self.podman.close()
        podmans.unmount_below(self.directory)
        shutil.rmtree(self.directory)

    def pod(self, document):
        """A pod as it is after admission, with the volume as its first one's claim. All of its images are this one."""
        claim = document["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
        return Pod(self.podman, document, self.host, claims={claim: self.volume}, images={"": self.image})

    def mounts(self):
        """What gateways have mounted on the node."""
        return podmans.mounts_below(self.host / "run/ocfsgw")

    def clear(self):
        """Ends all containers and takes away what they have left mounted."""
        self.podman("rm", "--force", "--all", "--time", "0", check=False)
        podmans.unmount_below(self.host / "run")
