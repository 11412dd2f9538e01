"""`event_fields`: only the wanted properties of an event."""

from collections.abc import Iterable
from typing import Any

from myelin.matrix.property_paths import parse_property_path

_Tree = dict[str, Any]
"""Property name to the tree of what is wanted within it; None where all of it is."""


class EventFields:
    """The properties that a filter asks for, ready to be taken out of event after event."""

    __slots__ = ("_tree",)

    def __init__(self, paths: Iterable[str]) -> None:
        self._tree: _Tree = {}
        for path in paths:
            *outer, last = parse_property_path(path)
            tree = self._tree
            for name in outer:
                inner = tree.setdefault(name, {})
                if inner is None:
                    break  # a shorter path already asks for all of it
                tree = inner
            else:
                tree[last] = None

    def project(self, event: dict[str, Any]) -> dict[str, Any]:
        """A copy of the event with nothing but the wanted properties; those that it does not have are left out."""
        return _project(event, self._tree)


def _project(value: dict[str, Any], tree: _Tree) -> dict[str, Any]:
    projected: dict[str, Any] = {}
    for name, wanted in tree.items():
        if name not in value:
            continue
        if wanted is None:
            projected[name] = value[name]
        elif isinstance(value[name], dict) and (inner := _project(value[name], wanted)):
            projected[name] = inner
    return projected
