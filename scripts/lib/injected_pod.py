"""Pods for the injector, and what it makes of them."""
import json
import subprocess


def application(name, script):
    return {"name": name, "image": "application", "command": ["/bin/sh", "-c", script],
            "volumeMounts": [{"name": "www", "mountPath": "/var/www"}]}


def pod(name, script, memory="512Mi", init=None):
    """As a user writes it. lease=local: the volume is a directory of this machine."""
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "test", "annotations": {
            "ocfsgw.io/inject": "true", "ocfsgw.io/volume": "www", "ocfsgw.io/memory-limit": memory,
            "ocfsgw.io/options": "lease=local,cache_size=256M"}},
        "spec": {
            "terminationGracePeriodSeconds": 30,
            "initContainers": [application("early", init)] if init else [],
            "containers": [application("web", script)],
            "volumes": [{"name": "www", "persistentVolumeClaim": {"claimName": name}}]}}


def injected(document, injector, classic=False):
    """The pod as it is after admission."""
    done = subprocess.run([injector, "review", "--patched", "--native-sidecars", "no" if classic else "yes", "-"],
                          input=json.dumps(document), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ocfsgw-injector review: exit status {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)
