"""From method and path to an endpoint: a tree of path segments, where fixed ones win over parameters.

A path without parameters is found at once: it is the one that the tree would try first.
"""

from typing import Generic, TypeVar

from myelin.http.request import unquote_segment

T = TypeVar("T")


class _Node(Generic[T]):
    __slots__ = ("fixed", "parameter", "targets")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node[T]] = {}
        self.parameter: _Node[T] | None = None
        self.targets: dict[str, T] = {}


class Router(Generic[T]):
    """Finds what is registered for a path; parameters match exactly one segment, decoded after the split."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._fixed: dict[str, dict[str, T]] = {}

    def add(self, method: str, path: str, target: T) -> None:
        """Register a target. Raises ValueError if the place is taken."""
        node = self._root
        for segment in path.split("/")[1:]:
            if segment.startswith("{"):
                if node.parameter is None:
                    node.parameter = _Node()
                node = node.parameter
            else:
                node = node.fixed.setdefault(segment, _Node())
        if method in node.targets:
            raise ValueError(f"{method} {path} is declared twice")
        node.targets[method] = target
        if "{" not in path:
            self._fixed[path] = node.targets

    def find(self, path: str) -> tuple[dict[str, T], list[str]] | None:
        """The targets by method and the path's parameters in order, or None."""
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed, []
        found = self._walk(self._root, path.split("/")[1:], 0, [])
        if found is None:
            return None
        node, values = found
        return node.targets, values

    def _walk(
        self, node: _Node[T], segments: list[str], index: int, values: list[str]
    ) -> tuple[_Node[T], list[str]] | None:
        if index == len(segments):
            return (node, values) if node.targets else None
        segment = segments[index]
        child = node.fixed.get(segment)
        if child is not None:
            found = self._walk(child, segments, index + 1, values)
            if found is not None:
                return found
        if node.parameter is None:
            return None
        return self._walk(node.parameter, segments, index + 1, [*values, unquote_segment(segment)])
