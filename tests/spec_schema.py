"""The answers of the server held against the spec's OpenAPI files: every answer of every test that asks over HTTP."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
import yaml
from jsonschema_rs import Draft202012Validator

from spec_exceptions import DEVIATIONS

DATA = Path(__file__).parent / "spec" / "data"
CLIENT_SERVER = DATA / "api" / "client-server"
SERVER_SERVER = DATA / "api" / "server-server"
METHODS = ("get", "put", "post", "delete")
SCHEME = "spec://"
UNSTABLE_QUERY = "org.matrix.msc4140.delay="
OF_HTTP = frozenset({206, 304, 416})
"""Answers to conditional and range requests: HTTP's own, which the spec need not name."""


class Operation(NamedTuple):
    """One operation of the spec."""

    operation_id: str
    method: str
    path: str
    file: Path
    responses: dict[str, Any]

    @property
    def name(self) -> str:
        """The operation's ID in snake_case, as its function is called."""
        return snake_case(self.operation_id)

    @property
    def shape(self) -> str:
        """The path without the names of its parameters."""
        return re.sub(r"\{\w+\}", "{}", self.path)


def snake_case(operation_id: str) -> str:
    """`getAccount3PIDs` as `get_account_3pids`."""
    whole = re.sub(r"3PIDs?|3pid|MSISDN|IdP", lambda found: f"_{found[0].lower()}_", operation_id)
    return re.sub(r"_+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", whole)).lower().strip("_")


@functools.cache
def operations() -> tuple[Operation, ...]:
    """Every operation of the Client-Server API."""
    return tuple(operation for file in sorted(CLIENT_SERVER.glob("*.yaml")) for operation in _of_file(file))


@functools.cache
def server_operations() -> tuple[Operation, ...]:
    """Every operation of the Server-Server API."""
    return tuple(operation for file in sorted(SERVER_SERVER.glob("*.yaml")) for operation in _of_file(file))


def _of_file(file: Path) -> Iterator[Operation]:
    loaded = load(file)
    base = loaded["servers"][0]["variables"]["basePath"]["default"]
    for path, methods in loaded["paths"].items():
        for method, found in methods.items():
            if method not in METHODS:
                continue
            # Two files share a path with another one and tell themselves apart by a blank at the end.
            yield Operation(found["operationId"], method.upper(), base + path.strip(), file, found["responses"])


def operations_of(method: str, path: str) -> list[Operation]:
    """The operations that a request may be meant for: one, or two that share their path."""
    method = "GET" if method == "HEAD" else method
    candidates = [(pattern, found) for pattern, found in _patterns() if pattern.fullmatch(path)]
    if not candidates:
        return []
    best = candidates[0][1].shape
    return [found for _, found in candidates if found.shape == best and found.method == method]


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], Operation]]:
    """Path patterns, the most literal first."""
    by_literalness = sorted((*operations(), *server_operations()), key=lambda operation: operation.path.count("{"))
    return [(re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(o.path))), o) for o in by_literalness]


def check_answer(method: str, url_path: str, status: int, content_type: str, body: bytes) -> None:
    """Raise AssertionError where the answer is not what the spec says of this endpoint and status."""
    url_path, _, query = url_path.partition("?")
    if query.startswith(UNSTABLE_QUERY) or f"&{UNSTABLE_QUERY}" in query:
        # An event that is sent later has no ID yet; what the answer says instead is not in the spec.
        return
    path = re.sub(r"^(/_matrix/(?:client|media))/r0/", r"\1/v3/", url_path)
    shown = (method, url_path, status, body[:2000])
    if status in OF_HTTP:
        return
    if status >= 400 and method != "HEAD":
        _check_error(status, content_type, body, shown)
    if status == 401 and b'"errcode":"M_' in body and b'"flows"' not in body:
        # A token that is missing or not valid; the schemas of 401 mean the stages of an authentication.
        return
    found = operations_of(method, path)
    if not found or method in ("HEAD", "OPTIONS"):
        return
    problems: list[str] = []
    for operation in found:
        problems = list(_problems(operation, status, content_type, body))
        if not problems:
            return
    raise AssertionError((problems[:5], *shown))


def _check_error(status: int, content_type: str, body: bytes, shown: Any) -> None:
    if content_type != "application/json":
        assert content_type == "text/html", shown
        return
    error = msgspec.json.decode(body)
    if shown[1].startswith("/auth/oauth2/"):
        # Those who ask there are OAuth clients (RFC 6749, section 5.2).
        assert isinstance(error["error"], str), shown
        return
    if status == 401 and "flows" in error and "errcode" not in error:
        return
    assert isinstance(error["errcode"], str), shown
    assert isinstance(error["error"], str), shown


def _problems(operation: Operation, status: int, content_type: str, body: bytes) -> Iterator[str]:
    known, validator = _validator(operation.file, operation.operation_id, str(status))
    if not known:
        if status < 400:
            yield f"{operation.operation_id} has no status {status}"
        return
    if validator is None:
        return
    if content_type != "application/json":
        yield f"{operation.operation_id} answers {status} with JSON, not with {content_type}"
        return
    for error in validator.iter_errors(msgspec.json.decode(body)):
        place = "/".join("*" if isinstance(part, int) else str(part) for part in error.instance_path)
        if (operation.operation_id, _general(place), error.kind.name) not in DEVIATIONS:
            yield f"{operation.operation_id} {status} {place} ({error.kind.name}): {error.message[:300]}"


def _general(place: str) -> str:
    """The place with what is particular to the answer replaced: identifiers by their sigil."""
    return "/".join(part[0] if part[:1] in "@!#$" and ":" in part else part for part in place.split("/"))


@functools.cache
def _validator(source: Path, operation_id: str, status: str) -> tuple[bool, Draft202012Validator | None]:
    """Whether the spec knows the status, and its schema where it has one for JSON."""
    operation = next(o for o in _of_file(source) if o.operation_id == operation_id)
    response = operation.responses.get(status)
    if response is None:
        return False, None
    file = operation.file
    while "$ref" in response:
        name, _, pointer = response["$ref"].partition("#")
        file = (file.parent / name).resolve() if name else file
        response = functools.reduce(dict.__getitem__, pointer.split("/")[1:], load(file))
    schema = (response.get("content") or {}).get("application/json", {}).get("schema")
    if schema is None:
        return True, None
    return True, Draft202012Validator(_rebased(schema, file), retriever=_retrieve)


def _rebased(schema: Any, file: Path) -> Any:
    """The schema with its references made absolute, and without examples."""
    if isinstance(schema, list):
        return [_rebased(member, file) for member in schema]
    if not isinstance(schema, dict):
        return schema
    rebased = {name: _rebased(member, file) for name, member in schema.items() if name not in ("example", "examples")}
    ref = rebased.get("$ref")
    if isinstance(ref, str) and not ref.startswith(SCHEME):
        target = file.as_uri() + ref if ref.startswith("#") else (file.parent / ref).resolve().as_uri()
        rebased["$ref"] = target.replace("file://", SCHEME)
    return rebased


def _retrieve(uri: str) -> Any:
    path = Path(unquote(urlsplit(uri).path))
    return _rebased(load(path), path)


@functools.cache
def load(path: Path) -> Any:
    """A file of the spec."""
    return yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
