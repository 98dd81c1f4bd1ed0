"""Reads from the server's cache.

Needs the grant `cluster`, and reads only what the binding names under `clusterReads`; for a namespaced binding only in its
namespace, and only what its author may read. Name the fields that you need: what a question costs is mostly the parsing of
its answer.
"""

import json
import re

try:
    from componentize_py_types import Err
    from wit_world.imports import cluster, types
except ModuleNotFoundError:  # Outside of a component.
    from ._native import Err, cluster, types


class ReadError(Exception):
    """There is no answer."""


def get(group, version, resource, name, namespace="", fields=()):
    """One object, or None when there is none."""
    text = _asked(cluster.get, group, version, resource, namespace, name, fields)
    return None if text is None else json.loads(text)


def list(group, version, resource, namespace="", selector="", fields=()):
    """The objects of a namespace, or of all, that fit a label selector, by namespace and name."""
    return [json.loads(text) for text in _asked(cluster.list, group, version, resource, namespace, selector, fields)]


def _asked(ask, group, version, resource, namespace, selected, fields):
    try:
        return ask(types.GroupVersionResource(group, version, resource), namespace, selected, [*fields])
    except Err as error:
        why = error.value
        said = f": {why.value}" if hasattr(why, "value") else ""
        case = re.sub("(?<=.)([A-Z])", r"-\1", type(why).__name__.removeprefix("ReadError_")).lower()
        raise ReadError(f"read {resource}: {case}{said}") from None
