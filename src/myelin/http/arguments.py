"""From a declared function to its arguments: what each parameter is, decided once when the server is built."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from myelin.http.endpoint import Endpoint
from myelin.http.request import Request, decode
from myelin.http.requester import Requester
from myelin.matrix.errors import BadJson, InvalidParam, MissingParam, NotJson
from myelin.matrix.limits import MAX_JSON_DEPTH

Caller = Requester | str | None
"""A user's session, another server's name, or nobody."""

Call = Callable[[Request, Caller, list[str]], Awaitable[Any]]


def bind(endpoint: Endpoint, services: Mapping[type, Any]) -> Call:
    """The endpoint as a call on a request, its services put in. Raises TypeError for a service there is none of."""
    function = endpoint.function
    fixed = {name: _service(endpoint, name, kind, services) for name, kind in endpoint.services.items()}
    names = endpoint.path_names
    takes_request = "request" in endpoint.parameters
    caller_name = next((name for name in ("requester", "origin") if name in endpoint.parameters), None)
    read_body = _body_reader(endpoint)
    read_query = _query_reader(endpoint)

    async def call(request: Request, caller: Caller, values: list[str]) -> Any:
        arguments: dict[str, Any] = dict(zip(names, values, strict=True))
        if caller_name is not None:
            arguments[caller_name] = caller
        if takes_request:
            arguments["request"] = request
        if read_query is not None:
            arguments["query"] = read_query(request)
        if read_body is not None:
            arguments["body"] = await read_body(request)
        return await function(**fixed, **arguments)

    return call


def _service(endpoint: Endpoint, name: str, kind: type, services: Mapping[type, Any]) -> Any:
    try:
        return services[kind]
    except KeyError:
        raise TypeError(f"{endpoint.name}: no service for {name}: {kind}") from None


def _query_reader(endpoint: Endpoint) -> Callable[[Request], Any] | None:
    kind = endpoint.parameters.get("query")
    if kind is None:
        return None
    empty = _convert_query({}, kind) if not _has_required(kind) else None

    def read(request: Request) -> Any:
        query = request.query
        return empty if not query and empty is not None else _convert_query(query, kind)

    return read


def _has_required(kind: Any) -> bool:
    return any(f.required for f in msgspec.structs.fields(kind))


def _convert_query(query: dict[str, str], kind: Any) -> Any:
    try:
        return msgspec.convert(query, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _refusal(error, InvalidParam) from error


def _body_reader(endpoint: Endpoint) -> Callable[[Request], Awaitable[Any]] | None:
    kind = endpoint.parameters.get("body")
    if kind is None:
        return None
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct_reader(kind, endpoint.body_optional)

    async def read(request: Request) -> Any:
        value = await request.json(optional=endpoint.body_optional)
        if not isinstance(value, dict):
            raise BadJson("The body must be a JSON object")
        return value

    return read


def _struct_reader(kind: type[msgspec.Struct], optional: bool) -> Callable[[Request], Awaitable[Any]]:
    decoder = msgspec.json.Decoder(kind)

    async def read(request: Request) -> Any:
        data = await request.body()
        if not data and optional:
            data = b"{}"
        if data.count(b"{") + data.count(b"[") > MAX_JSON_DEPTH:
            decode(data)
        try:
            return decoder.decode(data)
        except msgspec.ValidationError as error:
            raise _refusal(error, BadJson) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NotJson("The body is not JSON") from error

    return read


def _refusal(error: msgspec.ValidationError, otherwise: type[BadJson | InvalidParam]) -> Exception:
    text = str(error)
    if "missing required field" in text:
        return MissingParam(text)
    return otherwise(text)
