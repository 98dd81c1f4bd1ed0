// Runs a policy's cases by `node --test`, where a debugger can look at it. The same files run in wasm by `gatehouse policy
// test`, which also checks what the server checks: the settings' schema, the fields read and written, and that a mutator leaves
// its own work alone. Cases that need the server around a policy are skipped here.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { register } from "node:module";
import { test } from "node:test";

import { decode, encode } from "./json.js";

// What lists of cases weigh at most.
const OUTPUT_BYTES_MAX = 256 << 20;

// What stands for the abilities outside of a component: nobody answers, and what is logged is printed.
const ABILITIES = `
  const refuse = (why) => { globalThis.gatehouseAsked = true; throw why; };
  const nobody = () => refuse({ tag: "unavailable", val: "there is no cluster here" });
  const check = () => refuse("there is no authorizer here");
  export default { get: nobody, list: nobody, check, write: (level, message) => console.log(level + ": " + message) };`;

const asModule = (text) => "data:text/javascript," + encodeURIComponent(text);

// Lets a policy that imports them be loaded.
const LOADER = `export function resolve(name, context, next) {
  if (!name.startsWith("gatehouse:policy/")) return next(name, context);
  return { url: ${JSON.stringify(asModule(ABILITIES))}, shortCircuit: true };
}`;

/**
 * Declares a test for each case. `load` imports the policy: `() => import("../src/validator.js")`. The program `gatehouse`, or
 * the one that the variable GATEHOUSE names, reads the cases of the current folder; none is a failure.
 */
export async function cases(load) {
  register(asModule(LOADER));
  const policy = await load();
  const program = process.env.GATEHOUSE ?? "gatehouse";
  const told = execFileSync(program, ["policy", "cases", "."], { encoding: "utf8", maxBuffer: OUTPUT_BYTES_MAX });
  for (const one of JSON.parse(told).cases) {
    test(one.name, { skip: one.wasmAlone ?? false }, (context) => {
      globalThis.gatehouseAsked = false;
      try {
        judge(policy, one);
      } catch (why) {
        if (!globalThis.gatehouseAsked) throw why;
        context.skip("who answers what a policy asks is there in wasm alone");
      }
    });
  }
}

function judge({ validation, mutation }, { settings, request, object, old, params, expect }) {
  const component = validation ?? mutation;
  assert.ok(component, "the policy exports neither `validation` nor `mutation`");
  try {
    component.configure(encode(settings));
  } catch (problems) {
    assert.fail(`the settings are refused: ${JSON.stringify(problems)}`);
  }
  const bytes = (value) => (value === null ? null : encode(value));
  const asked = { ...request, options: encode(request.options) };
  const ask = component.validate ?? component.mutate;
  const call = () => ask(asked, bytes(object), bytes(old), bytes(params));
  if (expect.error !== undefined) {
    return assert.throws(call, (why) => String(why).includes(expect.error));
  }
  const answer = call();
  for (const wanted of expect.warnings ?? []) {
    assert.ok(answer.warnings.some((warning) => warning.includes(wanted)), `expected the warning "${wanted}", got ${answer.warnings}`);
  }
  if (validation) return verdict(expect, answer.violations);
  const wanted = expect.unchanged ? object : expect.object;
  assert.ok(wanted, "the case says neither `expect.object` nor `expect.unchanged`");
  assert.deepEqual((decode(answer.patch) ?? []).reduce(applied, object), wanted);
}

function verdict({ allowed, violations = [] }, told) {
  assert.equal(typeof allowed, "boolean", "the case does not say `expect.allowed`");
  assert.equal(told.length === 0, allowed, `the violations are ${JSON.stringify(told)}`);
  for (const { rule, field, message = "", code } of violations) {
    const fits = (one) =>
      (rule ?? one.rule) === one.rule &&
      (field ?? one.field) === one.field &&
      (code ?? one.code) === one.code &&
      one.message.includes(message);
    assert.ok(
      told.some(fits),
      `expected ${JSON.stringify({ rule, field, message, code })}, but the violations are ${JSON.stringify(told)}`,
    );
  }
}

/** The object after one operation as `Patch` writes them. */
function applied(object, { op, path, value }) {
  const changed = JSON.parse(JSON.stringify(object));
  const names = path.split("/").slice(1).map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = names.pop();
  const above = names.reduce((at, name) => at[name], changed);
  if (op !== "remove") above[last] = value;
  else if (Array.isArray(above)) above.splice(Number(last), 1);
  else delete above[last];
  return changed;
}
