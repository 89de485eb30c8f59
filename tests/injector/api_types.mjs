// Whether objects are what the Kubernetes API takes, by npm's kubernetes-models, which is generated from Kubernetes' own OpenAPI
// document (and its sisters from the CRDs of cert-manager and the Prometheus operator): values by their compiled JSON schemas,
// names of fields by their TypeScript types (the schemas allow unknown ones, as the API does, which drops them).
import { createRequire } from "node:module";
import path from "node:path";

/** `modules`: node_modules. The result: (objects by name) -> messages. */
export function checker(modules) {
  const require = createRequire(path.join(modules, "package.json"));
  const ts = require("typescript");

  /** The module that has the object's type. */
  function moduleOf({ apiVersion, kind }) {
    const packages = ["kubernetes-models", "@kubernetes-models/cert-manager", "@kubernetes-models/prometheus-operator"];
    for (const name of packages.map((each) => `${each}/${apiVersion}/${kind}`)) {
      try {
        require.resolve(name);
        return name;
      } catch { /* the next one */ }
    }
    throw new Error(`no schema of ${apiVersion} ${kind} is known`);
  }

  /** Messages for the values of `object`. */
  function wrongValues(object) {
    try {
      new (require(moduleOf(object))[object.kind])(object).validate();
      return [];
    } catch (error) {
      return [error.message];
    }
  }

  /** Messages for literals that are not of the package's types; `objects` by name. */
  function wrongTypes(objects) {
    const sources = new Map();
    for (const [name, object] of Object.entries(objects)) {
      const text = `import { I${object.kind} } from "${moduleOf(object)}";\n` +
        `export const object: I${object.kind} = ${JSON.stringify(object, null, 1)};\n`;
      sources.set(path.join(path.dirname(modules), `${name}.ts`), text);
    }
    const options = { noEmit: true, strict: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Node10 };
    const host = ts.createCompilerHost(options);
    const { getSourceFile, fileExists, readFile } = host;
    host.getSourceFile = (name, ...rest) => sources.has(name)
      ? ts.createSourceFile(name, sources.get(name), ts.ScriptTarget.ES2022) : getSourceFile.call(host, name, ...rest);
    host.fileExists = (name) => sources.has(name) || fileExists.call(host, name);
    host.readFile = (name) => sources.get(name) ?? readFile.call(host, name);
    const program = ts.createProgram([...sources.keys()], options, host);
    return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
      const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, " ");
      if (!diagnostic.file) return message;
      const { line } = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start);
      const source = diagnostic.file.text.split("\n")[line].trim();
      return `${path.basename(diagnostic.file.fileName, ".ts")}: ${source}: ${message}`;
    });
  }

  return (objects) => {
    const wrong = Object.entries(objects).flatMap(([name, object]) => wrongValues(object).map((why) => `${name}: ${why}`));
    return [...wrong, ...wrongTypes(objects)];
  };
}
