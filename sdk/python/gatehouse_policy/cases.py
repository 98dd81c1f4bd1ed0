"""Runs a policy's cases by unittest or pytest, where a debugger can look at it.

The same files run in wasm by `gatehouse policy test`, which also checks what the server checks: the settings' schema, the
fields read and written, and that a mutator leaves its own work alone. Cases that need the server around a policy are skipped
here.
"""

import json
import os
import subprocess
import unittest
from copy import deepcopy
from types import SimpleNamespace

from ._native import Asked, Err


def cases(component):
    """A TestCase with a test for each case of the current folder; no case at all is a failure.

    `component` is what `validator` or `mutator` made. The program `gatehouse`, or the one that the variable GATEHOUSE names,
    reads the cases.
    """
    program = os.environ.get("GATEHOUSE", "gatehouse")
    told = subprocess.run([program, "policy", "cases", "."], stdout=subprocess.PIPE, check=True).stdout
    tests = {}
    for n, case in enumerate(json.loads(told)["cases"]):
        tests[f"test_{n:03}_{_word(case['name'])}"] = _test(component, case)
    return type("Cases", (unittest.TestCase,), tests)


def _word(name):
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _test(component, case):
    def test(self):
        if case["wasmAlone"]:
            self.skipTest(case["wasmAlone"])
        Asked.is_so = False
        try:
            _judge(self, component(), case)
        except AssertionError:
            if Asked.is_so:
                self.skipTest("who answers what a policy asks is there in wasm alone")
            raise

    test.__doc__ = case["name"]
    return test


def _judge(test, policy, case):
    expect, text = case["expect"], lambda value: None if value is None else json.dumps(value).encode()
    try:
        policy.configure(text(case["settings"]))
    except Err as why:
        test.fail(f"the settings are refused: {why.value}")
    ask = policy.validate if hasattr(policy, "validate") else policy.mutate
    try:
        answer = ask(_request(case["request"]), text(case["object"]), text(case["old"]), text(case["params"]))
    except Err as why:
        if "error" not in expect:
            test.fail(f"it could not judge: {why.value}")
        return test.assertIn(expect["error"], why.value)
    if "error" in expect:
        test.fail(f"it judges, but should fail with {expect['error']!r}")
    for wanted in expect.get("warnings", []):
        test.assertTrue(any(wanted in warning for warning in answer.warnings), f"expected {wanted!r} among {answer.warnings}")
    if hasattr(policy, "validate"):
        return _verdict(test, expect, answer.violations)
    wanted = case["object"] if expect.get("unchanged") else expect.get("object")
    test.assertIsNotNone(wanted, "the case says neither `expect.object` nor `expect.unchanged`")
    test.assertEqual(_applied(case["object"], json.loads(answer.patch or "[]")), wanted)


def _verdict(test, expect, violations):
    test.assertIn("allowed", expect, "the case does not say `expect.allowed`")
    test.assertEqual(not violations, expect["allowed"], f"the violations are {violations}")
    for wanted in expect.get("violations", []):
        fits = lambda one: (
            wanted.get("rule", one.rule) == one.rule
            and wanted.get("field", one.field) == one.field
            and wanted.get("message", "") in one.message
            and wanted.get("code", one.code) == one.code
        )
        test.assertTrue(any(map(fits, violations)), f"expected {wanted}, but the violations are {violations}")


def _request(told):
    """The record of the contract."""
    user = told["user"]
    named = {
        "uid": told["uid"],
        "time": SimpleNamespace(**told["time"]),
        "user": user and SimpleNamespace(**{**user, "extra": [tuple(pair) for pair in user["extra"]]}),
        "operation": SimpleNamespace(name=told["operation"].upper()),
        "origin": SimpleNamespace(name=told["origin"].upper()),
        "kind": SimpleNamespace(**told["kind"]),
        "resource": SimpleNamespace(**told["resource"]),
        "dry_run": told["dryRun"],
        "options": json.dumps(told["options"]).encode(),
    }
    return SimpleNamespace(subresource=told["subresource"], namespace=told["namespace"], name=told["name"], **named)


def _applied(object, operations):
    """The object after operations as `Patch` writes them."""
    object = deepcopy(object)
    for operation in operations:
        names = [name.replace("~1", "/").replace("~0", "~") for name in operation["path"].split("/")[1:]]
        at = object
        for name in names[:-1]:
            at = at[int(name) if isinstance(at, list) else name]
        last = int(names[-1]) if isinstance(at, list) else names[-1]
        if operation["op"] == "remove":
            del at[last]
        else:
            at[last] = operation["value"]
    return object
