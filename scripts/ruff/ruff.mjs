// ruff.mjs MODULES FOLDER FILE...: `ruff check` and `ruff format --check` where
// there is no ruff, with its official WebAssembly build from the folder MODULES.
// The configuration is FOLDER/pyproject.toml; the files are relative to FOLDER.
//
// This build knows no file names, so what depends on them is done here: of ruff's
// options that is per-file-ignores, and any other one is an error.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";

const [modules, folder, ...files] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), "package.json"));
const { PositionEncoding, Workspace } = require("@astral-sh/ruff-wasm-nodejs");
const { parse } = require("smol-toml");

const config = parse(readFileSync(join(folder, "pyproject.toml"), "utf8")).tool?.ruff ?? {};
const { "per-file-ignores": perFile = {}, ...lint } = config.lint ?? {};

const known = {
  "tool.ruff": ["line-length", "indent-width", "target-version", "preview", "format", "lint"],
  "tool.ruff.lint": ["select", "extend-select", "ignore", "per-file-ignores", "isort"],
};
for (const [table, values] of [["tool.ruff", config], ["tool.ruff.lint", config.lint ?? {}]]) {
  for (const key of Object.keys(values)) {
    if (!known[table].includes(key)) {
      throw new Error(`pyproject.toml: ${table}.${key}: scripts/ruff/ruff.mjs does not know whether it can honour this option`);
    }
  }
}

// A pattern is matched with the path and with the file's name; * crosses folders.
function matches(file, pattern) {
  if (/[[\]{}!]/.test(pattern)) throw new Error(`per-file-ignores: ${pattern}: ruff.mjs knows * and ? only`);
  const literal = pattern.replace(/[.+^$()|\\]/g, "\\$&");
  const glob = new RegExp(`^${literal.replace(/\*+/g, ".*").replace(/\?/g, ".")}$`);
  return glob.test(file) || glob.test(basename(file));
}

const workspaces = new Map();
function workspaceFor(file) {
  const ignore = Object.entries(perFile).flatMap(([pattern, rules]) => (matches(file, pattern) ? rules : []));
  const key = ignore.join();
  if (!workspaces.has(key)) {
    const options = { ...config, lint: { ...lint, ignore: [...(lint.ignore ?? []), ...ignore] } };
    workspaces.set(key, new Workspace(options, PositionEncoding.Utf16));
  }
  return workspaces.get(key);
}

let faults = 0;
const report = (text) => {
  faults++;
  console.log(text);
};
for (const file of files) {
  const text = readFileSync(join(folder, file), "utf8");
  const workspace = workspaceFor(file);
  const found = workspace.check(text);
  for (const { start_location: at, code, message } of found) {
    report(`${join(folder, file)}:${at.row}:${at.column}: ${code} ${message}`);
  }
  if (found.some(({ code }) => code === "invalid-syntax")) continue; // nothing to format
  if (workspace.format(text) !== text) report(`${join(folder, file)}: would be reformatted (ruff format)`);
}
console.log(`ruff ${Workspace.version()} (WebAssembly): ${files.length} files, ${faults} faults`);
process.exitCode = faults > 0 || files.length === 0 ? 1 : 0;
