"""The answers of the server held against the spec's OpenAPI files, where these are at hand."""

import functools
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from inprocess import Answer, Client

SPEC = Path(os.environ.get("MATRIX_SPEC") or Path(__file__).parents[2] / "shared" / "spec")
CLIENT_SERVER = SPEC / "api" / "client-server"
UNIMPORTANT = re.compile(r"^/_matrix/client/(r0|unstable)/")


@pytest.fixture
def valid_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test at any answer that the spec's schema refuses."""
    if not CLIENT_SERVER.is_dir():
        return
    ask = Client.__call__

    async def ask_and_check(self: Client, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        answer = await ask(self, method, path, body, **query)
        check_answer(method, path, answer)
        return answer

    monkeypatch.setattr(Client, "__call__", ask_and_check)


def check_answer(method: str, path: str, answer: Answer) -> None:
    """Raise AssertionError where the answer is not what the spec says of this endpoint and status."""
    full = path if path.startswith("/") else f"/_matrix/client/v3/{path}"
    if UNIMPORTANT.match(full):
        return
    validator = _validator(method.lower(), urlsplit(full).path, str(answer.status))
    if validator is not None:
        errors = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in validator.iter_errors(answer.json)]
        assert errors == [], (method, path, answer.status, answer.json)
    if answer.status >= 400 and answer.status != 401:
        assert isinstance(answer.json["errcode"], str), answer.json
        assert isinstance(answer.json["error"], str), answer.json


def _validator(method: str, path: str, status: str) -> Draft202012Validator | None:
    for pattern, file, operations in _operations():
        if pattern.fullmatch(path) and method in operations:
            response = operations[method]["responses"].get(status)
            schema = ((response or {}).get("content") or {}).get("application/json", {}).get("schema")
            if schema is None:
                return None
            return Draft202012Validator(_rebased(schema, file), registry=Registry(retrieve=_retrieve))
    return None


def _rebased(schema: Any, file: Path) -> Any:
    """The schema with references within its own file made whole."""
    if isinstance(schema, dict):
        rebased = {
            name: _rebased(member, file) for name, member in schema.items() if name not in ("example", "examples")
        }
        ref = rebased.get("$ref")
        if isinstance(ref, str):
            target = f"{file.as_uri()}{ref}" if ref.startswith("#") else (file.parent / ref).resolve().as_uri()
            rebased["$ref"] = f"{target}".replace("file://", "spec://")
        return rebased
    return [_rebased(member, file) for member in schema] if isinstance(schema, list) else schema


def _retrieve(uri: str) -> Resource[Any]:
    path = Path(unquote(urlsplit(uri).path))
    return Resource.from_contents(_rebased(_load(path), path), default_specification=DRAFT202012)


@functools.cache
def _load(path: Path) -> Any:
    return yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@functools.cache
def _operations() -> list[tuple[re.Pattern[str], Path, dict[str, Any]]]:
    """Path patterns, the most literal first, with the operations by method."""
    found: list[tuple[int, re.Pattern[str], Path, dict[str, Any]]] = []
    for file in sorted(CLIENT_SERVER.glob("*.yaml")):
        loaded = _load(file)
        base = loaded["servers"][0]["variables"]["basePath"]["default"]
        for path, operations in loaded["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(base + path))
            found.append((path.count("{"), re.compile(pattern), file, operations))
    return [(pattern, file, operations) for _, pattern, file, operations in sorted(found, key=lambda f: f[0])]
