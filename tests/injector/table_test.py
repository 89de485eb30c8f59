"""Pods in, patched pods out: every file of pods/ against golden/ and against rules that hold for all of them.

    table_test.py INJECTOR OUT [--update]

A file of pods/ is a pod as the API server shows it to a webhook; a comment "# args: ..." at its top has options of the
injector. The patch is applied by python3-jsonpatch, which shares nothing with the injector. Patched pods are written to
OUT as JSON, for schema_check.mjs. With --update golden/ is written anew: look at the difference before it is committed."""
import base64
import copy
import json
import pathlib
import re
import shlex
import subprocess
import sys
import unittest

import jsonpatch
import yaml

HERE = pathlib.Path(__file__).resolve().parent
INJECTOR, OUT = sys.argv[1], pathlib.Path(sys.argv[2])
UPDATE = "--update" in sys.argv
VERSION = subprocess.run([INJECTOR, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
ID = re.compile(r"/([0-9a-f]{32})(/mount)?$")


def review(pod, args):
    """What the injector says of `pod`, as AdmissionResponse."""
    request = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
               "request": {"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE",
                           "kind": {"group": "", "version": "v1", "kind": "Pod"},
                           "resource": {"group": "", "version": "v1", "resource": "pods"},
                           "namespace": pod["metadata"].get("namespace", "default"), "object": pod}}
    run = subprocess.run([INJECTOR, "review", *args, "-"], input=json.dumps(request), capture_output=True, text=True,
                         timeout=60, check=False)
    assert run.returncode in (0, 2) and run.stdout, run
    answer = json.loads(run.stdout)
    assert set(answer) == {"apiVersion", "kind", "response"}, answer
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview"), answer
    response = answer["response"]
    assert response["uid"] == request["request"]["uid"], response
    assert set(response) <= {"uid", "allowed", "status", "patch", "patchType", "warnings"}, response
    assert (run.returncode == 0) == response["allowed"], run
    return response


def patched(pod, response):
    if "patch" not in response:
        return pod
    assert response["patchType"] == "JSONPatch"
    return jsonpatch.apply_patch(pod, json.loads(base64.b64decode(response["patch"], validate=True)))


def with_ids_named(value, ids):
    """A copy of `value` in which the random names of directories are ID-1, ID-2 ..., collected in `ids`."""
    if isinstance(value, dict):
        return {key: with_ids_named(item, ids) for key, item in value.items()}
    if isinstance(value, list):
        return [with_ids_named(item, ids) for item in value]
    if isinstance(value, str) and (match := ID.search(value)):
        if match[1] not in ids:
            ids.append(match[1])
        return value.replace(match[1], f"ID-{ids.index(match[1]) + 1}")
    return value


def containers(pod):
    spec = pod.get("spec", {})
    return spec.get("initContainers", []) + spec.get("containers", [])


def is_sidecar(container):
    return any(mount["mountPath"] == "/ocfsgw/pod" for mount in container.get("volumeMounts", []))


class Table(unittest.TestCase):
    maxDiff = None

    def check_golden(self, name, golden):
        path = HERE / "golden" / f"{name}.yaml"
        text = yaml.safe_dump(golden, sort_keys=False, width=200)
        text = re.sub(r"(config-hash: )'?[0-9a-f]{16}'?$", r"\1HASH", text.replace(VERSION, "VERSION"), flags=re.MULTILINE)
        if UPDATE:
            path.write_text(text)
        self.assertTrue(path.is_file(), f"{path} is missing: run with --update and look at it")
        self.assertEqual(path.read_text(), text)

    def check_applications(self, before, after):
        """What the user wrote is as it was, but for where volumes come from."""
        mine = [copy.deepcopy(c) for c in containers(after) if not is_sidecar(c)]
        theirs = copy.deepcopy(containers(before))
        self.assertEqual([c["name"] for c in theirs], [c["name"] for c in mine])
        for old, new in zip(theirs, mine):
            for old_mount, new_mount in zip(old.get("volumeMounts", []), new.get("volumeMounts", [])):
                if new_mount["name"].startswith("ocfsgw-mount"):
                    new_mount["name"] = old_mount["name"]
                    for mount in (old_mount, new_mount):
                        mount.pop("mountPropagation", None)
            self.assertEqual(old, new)
        self.assertEqual(before["spec"].get("ephemeralContainers"), after["spec"].get("ephemeralContainers"))
        kept = after["spec"]["volumes"][:len(before["spec"]["volumes"])]
        self.assertEqual(before["spec"]["volumes"], kept)

    def check_references(self, pod):
        """Names are unique, and every mount has its volume."""
        volumes = [volume["name"] for volume in pod["spec"]["volumes"]]
        self.assertEqual(len(volumes), len(set(volumes)), volumes)
        names = [container["name"] for container in containers(pod)]
        self.assertEqual(len(names), len(set(names)), names)
        for container in containers(pod):
            self.assertLessEqual(len(container["name"]), 63)
            paths = [mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts", [])]
            self.assertEqual(len(paths), len(set(paths)), paths)
            for mount in container.get("volumeMounts", []):
                self.assertIn(mount["name"], volumes)

    def check_sidecars(self, pod, native):
        for kind, wanted in (("initContainers", native), ("containers", not native)):
            sidecars = [i for i, c in enumerate(pod["spec"].get(kind, [])) if is_sidecar(c)]
            self.assertEqual(bool(sidecars), wanted, kind)
            for i in sidecars:
                container = pod["spec"][kind][i]
                self.assertEqual(container.get("restartPolicy"), "Always" if native else None)
                self.assertTrue(container["securityContext"]["privileged"])
                propagation = {m["mountPath"]: m.get("mountPropagation") for m in container["volumeMounts"]}
                self.assertEqual(propagation["/ocfsgw/pod"], "Bidirectional")
                # Whoever mounts what it makes starts after it.
                holder = next(m["name"] for m in container["volumeMounts"] if m["mountPath"] == "/ocfsgw/pod")
                directory = holder.replace("ocfsgw-pod", "ocfsgw-mount")
                host_paths = {v["name"]: v["hostPath"]["path"] for v in pod["spec"]["volumes"] if "hostPath" in v}
                self.assertEqual(host_paths[holder] + "/mount", host_paths[directory])
                order = containers(pod)
                for earlier in order[:order.index(container)]:
                    self.assertNotIn(directory, [m["name"] for m in earlier.get("volumeMounts", [])])

    def run_file(self, path):
        text = path.read_text()
        match = re.search(r"^# args: (.*)$", text, re.MULTILINE)
        args = shlex.split(match[1]) if match else []
        pod = yaml.safe_load(text)
        response = review(pod, args)
        golden = {"allowed": response["allowed"]}
        for key in ("warnings", "status"):
            if key in response:
                golden[key] = response[key]
        for warning in response.get("warnings", []):
            self.assertLessEqual(len(warning), 120)
        self.assertEqual(response["allowed"], not path.stem.startswith("refused-"))
        if not response["allowed"]:
            self.assertNotIn("patch", response)
            self.assertGreater(len(response["status"]["message"]), 40)
            self.assertNotIn("\n", response["status"]["message"])
        elif path.stem.startswith("untouched-"):
            self.assertNotIn("patch", response)
        else:
            self.check_injected(path.stem, pod, response, args, golden)
        self.check_golden(path.stem, golden)

    def check_injected(self, name, pod, response, args, golden):
        self.assertIn("patch", response)
        result = patched(pod, response)
        ids = []
        golden["pod"] = with_ids_named(result, ids)
        if name.startswith("again-"):
            self.assertEqual([], [op["path"] for op in json.loads(base64.b64decode(response["patch"]))
                                  if not op["path"].endswith("/restartPolicy")])
            return
        self.assertEqual(len(ids), sum(is_sidecar(c) for c in containers(result)))
        self.assertEqual(len(ids), len(set(ids) - set(self.ids_seen)), "an id was given before")
        self.ids_seen.extend(ids)
        self.check_applications(pod, result)
        self.check_references(result)
        self.check_sidecars(result, "--native-sidecars=no" not in args)
        annotations = result["metadata"]["annotations"]
        self.assertEqual(annotations["ocfsgw.io/status"], "injected")
        self.assertNotIn("patch", review(result, args), "injected twice")
        (OUT / f"{name}.json").write_text(json.dumps(result))

    def test_every_file(self):
        self.ids_seen = []
        files = sorted((HERE / "pods").glob("*.yaml"))
        self.assertGreater(len(files), 70)
        for path in files:
            with self.subTest(path.stem):
                self.run_file(path)

    def test_no_golden_file_without_its_pod(self):
        stems = [{path.stem for path in (HERE / folder).iterdir()} for folder in ("pods", "golden")]
        self.assertEqual(set(), stems[1] - stems[0])

    def test_sidecar_robbed_of_its_restart_policy(self):
        """As a webhook does that was built for an older API; it also moves itself before us."""
        pod = yaml.safe_load((HERE / "pods" / "two-volumes.yaml").read_text())
        injected = patched(pod, review(pod, []))
        robbed = copy.deepcopy(injected)
        for container in robbed["spec"]["initContainers"]:
            del container["restartPolicy"]
        robbed["spec"]["initContainers"].insert(0, {"name": "other", "image": "x"})
        repaired = patched(robbed, review(robbed, []))
        self.assertEqual(repaired["spec"]["initContainers"][1:], injected["spec"]["initContainers"])
        self.assertNotIn("restartPolicy", repaired["spec"]["initContainers"][0])
        self.assertNotIn("patch", review(repaired, []))

    def test_what_is_not_a_pod_or_not_created(self):
        pod = yaml.safe_load((HERE / "pods" / "deployment.yaml").read_text())
        base = {"uid": "1", "operation": "CREATE", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "object": pod}
        for change in ({"operation": "UPDATE"}, {"operation": "DELETE", "object": None},
                       {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
                       {"subResource": "binding"}):
            with self.subTest(change=change):
                text = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                                   "request": {**base, **change}})
                run = subprocess.run([INJECTOR, "review", "-"], input=text, capture_output=True, text=True, timeout=60,
                                     check=True)
                self.assertEqual({"uid": "1", "allowed": True}, json.loads(run.stdout)["response"])


class Documents(unittest.TestCase):
    """Nothing that a user may give is left out."""

    def test_options_are_in_the_manual(self):
        manual = (HERE.parents[1] / "docs" / "man" / "ocfsgw-injector.8").read_text()
        help_text = subprocess.run([INJECTOR, "--help-all"], capture_output=True, text=True, check=True).stdout
        options = set(re.findall(r"(?<!\S)--([a-z0-9-]+)", help_text))
        self.assertGreater(len(options), 25)
        documented = set(re.findall(r"Fl -([a-z0-9-]+)", manual))
        self.assertEqual(options | {"help", "version"}, documented)

    def test_annotations_are_in_the_table(self):
        pod = yaml.safe_load((HERE / "pods" / "refused-unknown-annotation.yaml").read_text())
        message = review(pod, [])["status"]["message"]
        names = set(re.search(r"goes before one of (.*)$", message)[1].split(", "))
        text = (HERE.parents[1] / "docs" / "SIDECAR.md").read_text()
        cells = re.findall(r"^\| ((?:`[\w.-]+`(?:, )?)+) \|", text, re.MULTILINE)
        self.assertEqual(names, {name for cell in cells for name in re.findall(r"`([\w.-]+)`", cell)})


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.json"):
        old.unlink()
    unittest.main(argv=sys.argv[:1], verbosity=1)
