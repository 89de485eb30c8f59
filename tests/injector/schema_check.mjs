// Whether pods are what the Kubernetes API takes (api_types.mjs).
//   schema_check.mjs MODULES DIRECTORY     MODULES: node_modules; every DIRECTORY/*.json is a pod
// One line for each violation; exit status 1 if there is one, or nothing to check.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { checker } from "./api_types.mjs";

const [modules, directory] = process.argv.slice(2).map((name) => path.resolve(name));
const violations = checker(modules);

const pods = {};
for (const file of readdirSync(directory).filter((name) => name.endsWith(".json"))) {
  pods[path.basename(file, ".json")] = JSON.parse(readFileSync(path.join(directory, file), "utf8"));
}
if (Object.keys(pods).length === 0) throw new Error(`no pods in ${directory}`);

// The checks see what is wrong: else they would say nothing of anything.
const good = Object.values(pods)[0];
const spoilt = (change) => { const pod = structuredClone(good); change(pod.spec.initContainers[0]); return { spoilt: pod }; };
for (const change of [(c) => { c.restartPolicyy = "Always"; }, (c) => { c.name = 5; },
  (c) => { c.volumeMounts[0].mountPropogation = "None"; }, (c) => { delete c.name; },
  (c) => { c.startupProbe.exec = ["x"]; }, (c) => { c.resources.limits.memory = {}; }]) {
  if (violations(spoilt(change)).length === 0) throw new Error(`not seen: ${change}`);
}

const found = violations(pods);
console.log(found.length > 0 ? found.join("\n") : `${Object.keys(pods).length} pods as the API takes them`);
process.exit(found.length > 0 ? 1 : 0);
