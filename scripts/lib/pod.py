"""Runs the containers of a pod with podman in the order in which the kubelet does: what a sidecar injector's patch means, without
a cluster. Of the pod's fields, what the gateway's sidecars and simple applications use; anything else that would matter is
refused rather than ignored."""
import json
import os
import signal
import stat
import threading
import time
from pathlib import Path

from podman import ContainerError

PROPAGATION = {"None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}
KNOWN = {"name", "image", "imagePullPolicy", "command", "args", "env", "volumeMounts", "securityContext", "resources", "restartPolicy",
         "startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "ports", "workingDir", "terminationMessagePolicy"}
SIDECAR_GRACE_MIN_S = 2     # the kubelet's minimumGracePeriodInSeconds


def is_native_sidecar(container):
    return container.get("restartPolicy") == "Always"


def started_at(pid):
    """Start time of a process, which tells it from a later one of the same number; "" if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return fields[19] if fields[0] not in "ZX" else ""


class Pod:
    """`host`: a directory that plays the node's root, a shared mount: paths of hostPath volumes are below it, but those of
    /dev. `claims`: claim name -> directory on the node. `images`: image name -> image that podman has; "" for all others."""

    def __init__(self, podman, pod, host, claims=None, images=None):
        self.podman, self.spec, self.host = podman, pod["spec"], Path(host)
        self.claims, self.images = claims or {}, images or {}
        self.processes = {}     # container name -> process 1, and when it was started
        self.name = pod["metadata"].get("name") or pod["metadata"]["generateName"].rstrip("-")
        self.containers = {c["name"]: c for c in self.spec.get("initContainers", []) + self.spec["containers"]}
        for container in self.containers.values():
            if unknown := set(container) - KNOWN:
                raise ContainerError(f"container {container['name']}: not known here: {', '.join(sorted(unknown))}")
        self.volumes = {v["name"]: self._volume(v) for v in self.spec.get("volumes", [])}

    # --- starting

    def start(self):
        """Returns when all containers run. ContainerError if one cannot be started or fails before that."""
        for container in self.spec.get("initContainers", []):
            self._run(container)
            if is_native_sidecar(container):
                self.await_started(container["name"])
            elif (code := int(self.podman("wait", self.full_name(container["name"])))) != 0:
                raise ContainerError(f"init container {container['name']} ended with {code}: {self.logs(container['name'])}")
        for container in self.spec["containers"]:
            self._run(container)
            if hook := container.get("lifecycle", {}).get("postStart"):
                self.execute(container["name"], *hook["exec"]["command"])

    def restart(self, name):
        """What the kubelet does with a container that has ended: a new one in its place."""
        self.podman("rm", "--force", "--time", "0", self.full_name(name))
        self._run(self.containers[name])
        self.await_started(name)

    def await_started(self, name):
        probe = self.containers[name].get("startupProbe")
        for _ in range(probe.get("failureThreshold", 3) if probe else 0):
            status, said = self.podman("exec", self.full_name(name), *probe["exec"]["command"], check=False)
            if status == 0:
                return
            if self.process(name) == 0:
                raise ContainerError(f"container {name} ended: {self.logs(name)}")
            time.sleep(min(probe.get("periodSeconds", 10), 0.2))
        if probe:
            raise ContainerError(f"container {name}: the startup probe does not succeed: {said}{self.logs(name)}")

    # --- while it runs

    def full_name(self, name):
        return f"{self.name}-{name}"

    def execute(self, name, *command):
        """What the command prints in the container; ContainerError if it fails."""
        return self.podman("exec", self.full_name(name), *command)

    def logs(self, name):
        return self.podman("logs", self.full_name(name), check=False)[1]

    def process(self, name):
        """Process 1 of a container as the host sees it; 0 if it has ended."""
        pid, started = self.processes.get(name, (0, ""))
        return pid if started and started_at(pid) == started else 0

    def signal(self, name, number):
        if pid := self.process(name):
            os.kill(pid, number)

    def running(self, names=None):
        return [n for n in names or self.containers if self.process(n) != 0]

    # --- ending

    def delete(self):
        """As the kubelet ends a pod: SIGTERM to all containers at once, but to native sidecars, the last first, when the others
        have ended; SIGKILL to what is there when the grace time is over. The seconds it took, and who had to be killed."""
        grace = self.spec.get("terminationGracePeriodSeconds", 30)
        start = time.monotonic()
        late = [c["name"] for c in reversed(self.spec.get("initContainers", [])) if is_native_sidecar(c)]
        groups = [[c["name"] for c in self.spec["containers"]]] + [[n] for n in late]
        killed = []
        for number, names in enumerate(groups):
            for name in self.running(names):
                threading.Thread(target=self._terminate, args=[name], daemon=True).start()
            deadline = max(start + grace, time.monotonic() + SIDECAR_GRACE_MIN_S if number else 0)
            while (alive := self.running(names)) and time.monotonic() < deadline:
                time.sleep(0.1)
            killed += alive
            for name in alive:
                self.signal(name, signal.SIGKILL)
        seconds = time.monotonic() - start
        for name in self.containers:
            self.podman("rm", "--force", "--time", "0", self.full_name(name), check=False)
        return seconds, killed

    def _terminate(self, name):
        if hook := self.containers[name].get("lifecycle", {}).get("preStop"):
            self.podman("exec", self.full_name(name), *hook["exec"]["command"], check=False)
        self.signal(name, signal.SIGTERM)

    # --- from the pod's fields to podman's options

    def _volume(self, volume):
        if "hostPath" in volume:
            path = volume["hostPath"]["path"]
            return self._host_path(path if path.startswith("/dev/") else str(self.host) + path, volume["hostPath"].get("type", ""))
        if "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]["claimName"]
            if claim not in self.claims:
                raise ContainerError(f"no claim {claim}")
            return str(self.claims[claim])
        if "emptyDir" in volume:
            return self._host_path(f"{self.host}/var/lib/kubelet/pods/{self.name}/{volume['name']}", "DirectoryOrCreate")
        raise ContainerError(f"volume {volume['name']}: of a kind that is not known here: {json.dumps(volume)}")

    @staticmethod
    def _host_path(path, kind):
        if kind == "DirectoryOrCreate":
            os.makedirs(path, mode=0o755, exist_ok=True)
        elif kind == "Directory" and not os.path.isdir(path):
            raise ContainerError(f"hostPath {path}: no such directory on the node")
        elif kind == "CharDevice" and not stat.S_ISCHR(os.stat(path).st_mode):
            raise ContainerError(f"hostPath {path}: not a character device")
        elif kind not in ("", "Directory", "CharDevice"):
            raise ContainerError(f"hostPath {path}: type {kind} is not known here")
        return path

    def _mount(self, mount):
        source = self.volumes[mount["name"]]
        if sub_path := mount.get("subPath"):
            source = f"{source}/{sub_path}"
            os.makedirs(source, exist_ok=True)
        options = [PROPAGATION[mount.get("mountPropagation", "None")], *(["ro"] if mount.get("readOnly") else [])]
        return f"{source}:{mount['mountPath']}:{','.join(options)}"

    def _run(self, container):
        words = ["run", "--detach", "--name", self.full_name(container["name"]), "--network", "none", "--no-healthcheck",
                 "--log-driver", "k8s-file", "--hostname", self.name]
        security = container.get("securityContext", {})
        if security.get("privileged"):
            words += ["--privileged"]
        if "runAsUser" in security:
            words += ["--user", f"{security['runAsUser']}:{security.get('runAsGroup', 0)}"]
        if security.get("readOnlyRootFilesystem"):
            words += ["--read-only", "--read-only-tmpfs=false"]
        if memory := container.get("resources", {}).get("limits", {}).get("memory"):
            words += ["--memory", memory.replace("Mi", "m").replace("Gi", "g")]
        for variable in container.get("env", []):
            words += ["--env", f"{variable['name']}={variable['value']}"]
        for mount in container.get("volumeMounts", []):
            words += ["--volume", self._mount(mount)]
        if "workingDir" in container:
            words += ["--workdir", container["workingDir"]]
        if "command" in container:
            words += ["--entrypoint", json.dumps(container["command"])]
        image = self.images.get(container["image"], self.images.get("", container["image"]))
        pid_file = self.podman.directory / f"{self.full_name(container['name'])}.pid"
        self.podman(*words, "--pidfile", str(pid_file), image, *container.get("args", []))
        pid = int(pid_file.read_text())
        self.processes[container["name"]] = pid, started_at(pid)
