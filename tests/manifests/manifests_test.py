#!/usr/bin/env python3
"""Renders every kustomization of docker/manifests with `kubectl kustomize` and checks what no schema knows: that the objects
refer to each other, to the image's programs, and to options that these have.

    manifests_test.py SOURCES INJECTOR GATEWAY OUT.json    OUT.json: all objects, for schema_check.mjs"""
import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

SOURCES, INJECTOR, GATEWAY, OUT = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
MANIFESTS = SOURCES / "docker/manifests"
problems = []


def check(good, what):
    if not good:
        problems.append(what)


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False)


def containers(objects):
    """(name of the object, container) of every pod template."""
    for o in objects:
        spec = o.get("spec", {}).get("jobTemplate", o).get("spec", {}).get("template", {}).get("spec")
        for c in (spec.get("initContainers", []) + spec["containers"] if spec else []):
            yield f"{o['kind']}/{o['metadata']['name']}", c, spec


def check_program(where, container):
    """The arguments are ones that the program takes."""
    command = container.get("command", ["/usr/bin/ocfsgw"])
    if command[0] == "/usr/bin/ocfsgw-injector":
        known = run(INJECTOR, "--help-all").stdout
        for word in container["args"][1:]:
            check(re.search(rf"(?m)^ +(-\w,)?{re.escape(word.split('=')[0])}\b", known), f"{where}: {word}: no such option")
    elif command[0] == "/usr/bin/ocfsgw":
        options = container["args"][container["args"].index("-o") + 1]
        # A source that is not there is what is wrong last, exit status 2; options that are wrong come first, with 1.
        done = run(GATEWAY, "/nonexistent/source", "/nonexistent/mount", "-f", "-o", options)
        check(done.returncode == 2, f"{where}: {options}: {done.stderr.strip()}")


def check_objects(name, objects):
    by_kind = {}
    for o in objects:
        by_kind.setdefault(o["kind"], {})[o["metadata"]["name"]] = o
    for where, container, spec in containers(objects):
        where = f"{name}: {where}/{container['name']}"
        volumes = {v["name"] for v in spec.get("volumes", [])}
        mounts = {m["name"] for m in container.get("volumeMounts", [])}
        check(mounts <= volumes, f"{where}: mounts {mounts - volumes}, which is no volume")
        check(":" in container["image"].rsplit("/", 1)[-1], f"{where}: {container['image']}: no version")
        if container["image"].startswith("ocfsgw:"):
            check_program(where, container)
            check("memory" in container["resources"]["limits"], f"{where}: no limit of memory")
        privileged = container.get("securityContext", {}).get("privileged", False)
        check(not privileged or spec["nodeSelector"], f"{where}: privileged")
        if account := spec.get("serviceAccountName"):
            check(account in by_kind.get("ServiceAccount", {}), f"{where}: no ServiceAccount {account}")
    for webhooks in by_kind.get("MutatingWebhookConfiguration", {}).values():
        for webhook in webhooks["webhooks"]:
            service = webhook["clientConfig"]["service"]
            there = by_kind["Service"].get(service["name"])
            check(there and there["metadata"]["namespace"] == service["namespace"], f"{name}: webhook: no such Service: {service}")
            deployment = by_kind["Deployment"][service["name"]]
            labels = deployment["spec"]["template"]["metadata"]["labels"]
            for selector in (there["spec"]["selector"], *(b["spec"]["selector"]["matchLabels"] for b in by_kind["PodDisruptionBudget"].values())):
                check(selector.items() <= labels.items(), f"{name}: {selector} selects no pod of the injector")
            check(service["namespace"] in webhook["namespaceSelector"]["matchExpressions"][0]["values"],
                  f"{name}: the injector's own pods wait for the injector")
    for binding in by_kind.get("ValidatingAdmissionPolicyBinding", {}).values():
        check(binding["spec"]["policyName"] in by_kind["ValidatingAdmissionPolicy"], f"{name}: binding: no such policy")


def main():
    everything = []
    for kustomization in sorted(MANIFESTS.rglob("kustomization.yaml")):
        name = str(kustomization.parent.relative_to(MANIFESTS))
        done = run("kubectl", "kustomize", str(kustomization.parent))
        if done.returncode != 0:
            problems.append(f"{name}: {done.stderr.strip()}")
            continue
        objects = [o for o in yaml.safe_load_all(done.stdout) if o]
        check_objects(name, objects)
        everything += objects
        used = yaml.safe_load(kustomization.read_text())["resources"]
        for file in kustomization.parent.glob("*.yaml"):
            patches = yaml.safe_load(kustomization.read_text()).get("patchesStrategicMerge", [])
            check(file.name in [*used, *patches, "kustomization.yaml"], f"{name}: {file.name} is not used")
    version = re.search(r"VERSION ([\d.]+)", (SOURCES / "CMakeLists.txt").read_text().split("project(")[1])[1]
    for file in MANIFESTS.rglob("*.yaml"):
        for number in re.findall(r"(?:newTag: |ocfsgw:)(\d+\.\d+\.\d+)", file.read_text()):
            check(number == version, f"{file.relative_to(MANIFESTS)}: version {number}, not {version}")
    lint = run("yamllint", "--strict", "-d", "{extends: default, rules: {line-length: {max: 132}, document-start: disable}}",
               str(MANIFESTS))
    check(lint.returncode == 0, lint.stdout + lint.stderr)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(everything))
    print("\n".join(problems) if problems else f"{len(everything)} objects")
    return 1 if problems else 0


sys.exit(main())
