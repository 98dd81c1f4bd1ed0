import assert from "node:assert/strict";
import { test } from "node:test";

import { mutator, Patch, validator } from "../src/index.js";
import { decode, encode } from "../src/json.js";

test("a patch makes what is missing above a field", () => {
  const patch = new Patch({ spec: {} }).set(["spec", "a", "b"], 1).set(["spec", "a", "c"], null);
  assert.deepEqual(patch.operations, [
    { op: "add", path: "/spec/a", value: { b: 1 } },
    { op: "add", path: "/spec/a/c", value: null },
  ]);
});

test("a patch leaves what is right already", () => {
  const patch = new Patch({ spec: { a: 1, list: [{ x: 1 }] } });
  patch.set(["spec", "a"], 1).remove(["spec", "nothing"]).set(["spec", "a", "below"], 1);
  assert.deepEqual(patch.operations, []);
  patch.set(["spec", "list", "0", "x"], 2).remove(["spec", "a"]);
  assert.deepEqual(patch.object, { spec: { list: [{ x: 2 }] } });
});

test("a patch escapes keys", () => {
  const patch = new Patch({ metadata: { annotations: {} } }).set(["metadata", "annotations", "a.b/c~d"], "x");
  assert.equal(patch.operations[0].path, "/metadata/annotations/a.b~1c~0d");
});

test("documents are UTF-8", () => {
  const value = { text: "größer als 💯 " + "é".repeat(9000) };
  assert.deepEqual(decode(encode(value)), value);
  assert.equal(decode(null), null);
});

const request = { operation: "create", time: { seconds: 5, nanoseconds: 7e6 }, user: null, options: encode({ a: 1 }) };

test("a validator answers what its policy found, and settings are checked", () => {
  const component = validator({
    name: "named",
    check: ({ name }, problems) => name === "" && problems.violation("settings", "name", "a name is needed"),
    validate({ name }, { request, object }, verdict) {
      assert.deepEqual([request.operation, request.time.getTime(), request.options.a], ["CREATE", 5007, 1]);
      if (object.name !== name) verdict.violation("named", "name", "wrong name");
    },
  });
  assert.throws(() => component.configure(encode({ name: "" })), (why) => why[0].field === "name");
  component.configure(encode({ name: "a" }));
  const { violations } = component.validate(request, encode({ name: "b" }), null, null);
  assert.deepEqual(violations, [{ rule: "named", field: "name", message: "wrong name", code: null }]);
  assert.throws(() => component.validate(request, null, null, null), (why) => why.startsWith("TypeError: "));
});

test("a mutator answers with a patch, or with none", () => {
  const component = mutator({ name: "b", mutate: (settings, review, patch) => patch.set(["b"], settings.b) });
  component.configure(encode({ b: 2 }));
  const mutate = (object) => component.mutate(request, encode(object), null, null).patch;
  assert.deepEqual(decode(mutate({})), [{ op: "add", path: "/b", value: 2 }]);
  assert.equal(mutate({ b: 2 }), null);
});
