"""The SDK's patches, natively: what the rest of it imports is there in a component alone."""

import importlib.util
import pathlib
import unittest

place = pathlib.Path(__file__).parent.parent / "gatehouse_policy" / "patch.py"
spec = importlib.util.spec_from_file_location("patch", place)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
Patch = module.Patch


class PatchTest(unittest.TestCase):
    def test_makes_what_is_missing_above_a_field(self):
        patch = Patch({"spec": {}}).set(["spec", "a", "b"], 1).set(["spec", "a", "c"], None)
        self.assertEqual(
            patch.operations,
            [{"op": "add", "path": "/spec/a", "value": {"b": 1}}, {"op": "add", "path": "/spec/a/c", "value": None}],
        )

    def test_leaves_what_is_right_already(self):
        patch = Patch({"spec": {"a": 1, "list": [{"x": 1}]}})
        patch.set(["spec", "a"], 1).remove(["spec", "nothing"]).set(["spec", "a", "below"], 1)
        self.assertEqual(patch.operations, [])
        patch.set(["spec", "list", "0", "x"], True).remove(["spec", "a"])
        self.assertEqual(patch.object, {"spec": {"list": [{"x": True}]}})
        self.assertEqual(len(patch.operations), 2)

    def test_escapes_keys(self):
        patch = Patch({"metadata": {"annotations": {}}}).set(["metadata", "annotations", "a.b/c~d"], "x")
        self.assertEqual(patch.operations[0]["path"], "/metadata/annotations/a.b~1c~0d")


if __name__ == "__main__":
    unittest.main()
