// Whether the objects of rendered manifests are what the Kubernetes API takes (tests/injector/api_types.mjs).
//   schema_check.mjs MODULES FILE      FILE: a JSON array of objects
// One line for each violation; exit status 1 if there is one, or nothing to check.
import { readFileSync } from "node:fs";
import path from "node:path";
import { checker } from "../injector/api_types.mjs";

const [modules, file] = process.argv.slice(2).map((name) => path.resolve(name));
const violations = checker(modules);
const name = ({ kind, metadata }, number) => `${kind}_${metadata.name.replaceAll("-", "_")}_${number}`;
const objects = Object.fromEntries(JSON.parse(readFileSync(file, "utf8")).map((object, n) => [name(object, n), object]));
if (Object.keys(objects).length === 0) throw new Error(`nothing in ${file}`);

// The checks see what is wrong: else they would say nothing of anything.
for (const [key, object] of Object.entries(objects)) {
  const spoilt = structuredClone(object);
  spoilt.metadata.labells = {};
  if (violations({ [key]: spoilt }).length === 0) throw new Error(`not seen: an unknown field in ${key}`);
  break;
}

const found = violations(objects);
console.log(found.length > 0 ? found.join("\n") : `${Object.keys(objects).length} objects as the API takes them`);
process.exit(found.length > 0 ? 1 : 0);
