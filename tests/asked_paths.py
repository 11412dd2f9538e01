"""Which paths a test file asks for, read off its source: the arguments of its requests, as far as they can be known."""

import ast
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")
BELOW = "/_matrix/client/v3/"
ANY = "x"
"""Stands for a part of a path that is known only when the test runs."""
_NAMED = {
    "create_room": [("POST", "createRoom")],
    "register": [("POST", "register")],
    "login": [("POST", "login")],
    "send": [("PUT", "rooms/x/send/x/x")],
}
"""What the methods of the tests' own client ask for."""


def asked_in(file: Path) -> set[tuple[str, str]]:
    """Methods and whole paths, without queries."""
    tree = ast.parse(file.read_text())
    names = _names(tree)
    found = {pair for node in ast.walk(tree) for pair in _asked(node, names)}
    asked = {(method, whole) for method, path in found for whole in _whole(path)}
    return asked.union(*(asked_in(helper) for helper in _helpers(tree)))


def _helpers(tree: ast.AST) -> Iterator[Path]:
    """The modules of the tests that a test file takes its requests from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module not in (None, "inprocess"):
            file = Path(__file__).parent / f"{str(node.module).replace('.', '/')}.py"
            if file.is_file():
                yield file


def _whole(path: str) -> Iterator[str]:
    path = path.partition("?")[0]
    yield path if path.startswith("/") else BELOW + path
    if "/media/" in path:
        # Tests of media write server and media ID as one value.
        yield path.replace(f"/{ANY}", f"/{ANY}/{ANY}", 1)


def _names(tree: ast.AST) -> dict[str, list[ast.expr]]:
    """What names stand for, wherever they are given a value."""
    names: dict[str, list[ast.expr]] = defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id].append(node.value)
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name) and isinstance(node.iter, ast.Tuple):
            names[node.target.id] += node.iter.elts
        if isinstance(node, ast.FunctionDef) and isinstance(node.body[-1], ast.Return) and node.body[-1].value:
            names[node.name].append(node.body[-1].value)
    return names


def _asked(node: ast.AST, names: dict[str, list[ast.expr]]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Tuple | ast.List):
        yield from _pairs(node.elts, names)
    if not isinstance(node, ast.Call):
        return
    yield from _pairs(node.args, names)
    if isinstance(node.func, ast.Attribute):
        yield from _NAMED.get(node.func.attr, [])
        method = node.func.attr.upper()
        if method in METHODS and node.args:
            yield from ((method, path) for path in _texts(node.args[0], names, 3))


def _pairs(nodes: Sequence[ast.expr], names: dict[str, list[ast.expr]]) -> Iterator[tuple[str, str]]:
    """A method that a path follows."""
    for first, second in itertools.pairwise(nodes):
        if isinstance(first, ast.Constant) and first.value in METHODS:
            yield from ((str(first.value), path) for path in _texts(second, names, 3))


def _texts(node: ast.expr, names: dict[str, list[ast.expr]], depth: int) -> list[str]:
    """The texts that an expression may give."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.FormattedValue):
        return _texts(node.value, names, depth)
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in itertools.product(*(_texts(part, names, depth) for part in node.values))]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _texts(node.left, names, depth), _texts(node.right, names, depth)
        return [a + b for a, b in itertools.product(left, right)]
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Name) and depth and names[node.id]:
        return [ANY, *(text for value in names[node.id] for text in _texts(value, names, depth - 1))]
    return [ANY]
