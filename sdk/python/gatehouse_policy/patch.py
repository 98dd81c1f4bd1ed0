"""The changes a mutator wants.

Keeps a copy of the object up to date, so that what is right already is left alone and maps that are missing above a field
are made.
"""

from copy import deepcopy


class Patch:
    def __init__(self, object):
        self.object = deepcopy(object)
        self.operations = []
        self.warnings = []

    def set(self, path, value):
        """Sets a field given by its segments, such as `["spec", "containers", "0", "image"]`.

        Does nothing when the field has that value already, or lies below something that is no map.
        """
        at, depth = self.object, 0
        while depth < len(path) and _has(at, path[depth]):
            at = _child(at, path[depth])
            depth += 1
        if depth == len(path):
            # A truth is no number, though Python finds them equal.
            if at != value or type(at) is not type(value):
                self._put("replace", path, value)
        elif isinstance(at, dict):
            for name in reversed(path[depth + 1 :]):
                value = {name: value}
            self._put("add", path[: depth + 1], value)
        return self

    def remove(self, path):
        """Removes a field, if it is there."""
        above = self._above(path)
        if _has(above, path[-1]):
            del above[_key(above, path[-1])]
            self.operations.append({"op": "remove", "path": _pointer(path)})
        return self

    def warning(self, message):
        """Tells the caller something."""
        self.warnings.append(message)
        return self

    def _above(self, path):
        at = self.object
        for name in path[:-1]:
            at = _child(at, name) if _has(at, name) else None
        return at

    def _put(self, op, path, value):
        above = self._above(path)
        above[_key(above, path[-1])] = deepcopy(value)
        self.operations.append({"op": op, "path": _pointer(path), "value": deepcopy(value)})


def _has(at, name):
    if isinstance(at, list):
        return str(name).isdigit() and int(name) < len(at)
    return isinstance(at, dict) and name in at


def _key(at, name):
    return int(name) if isinstance(at, list) else name


def _child(at, name):
    return at[_key(at, name)]


def _pointer(path):
    return "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in path)
