"""Runs cases/ without wasm, so that a debugger can look at the policy: `python3 -m unittest discover test`, or pytest."""

import sys

sys.path[:0] = ["src", ".gatehouse/sdk/python"]

import WORLD
from gatehouse_policy.cases import cases

Cases = cases(WORLD.OUTCOME)
