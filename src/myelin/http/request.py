"""A request as endpoints see it."""

import asyncio
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import StreamReader, web

from myelin.matrix.errors import BadJson, InvalidParam, NotJson, TooLarge
from myelin.matrix.limits import MAX_JSON_DEPTH

MAX_QUERY_FIELDS = 256
"""More query parameters than this are not read."""

Network = IPv4Network | IPv6Network

WAITING_TASK: web.RequestKey["asyncio.Task[Any] | None"] = web.RequestKey("waiting_task")
"""Under this a raw request keeps the task that is to end when its connection is lost."""


class Request:
    """The parts of an HTTP request that endpoints read, parsed when asked for."""

    __slots__ = (
        "_kept", "_query", "_raw_query", "body_timeout_s", "max_body", "method", "path", "raw",
        "trusted_proxies",
    )  # fmt: skip

    def __init__(
        self,
        raw: web.BaseRequest,
        *,
        max_body: int,
        body_timeout_s: float | None = None,
        trusted_proxies: tuple[Network, ...] = (),
    ) -> None:
        target = raw._message.path  # noqa: SLF001  (the raw target: the parsed URL costs more than the rest of routing)
        self.path, _, self._raw_query = target.partition("?")
        self.raw = raw
        self.method = raw.method
        self.max_body = max_body
        self.body_timeout_s = body_timeout_s
        self.trusted_proxies = trusted_proxies
        self._query: dict[str, str] | None = None
        self._kept: tuple[bytes, Any] | None = None

    @property
    def target(self) -> str:
        """Path and query exactly as they were sent, which is what signatures cover."""
        return self.raw._message.path  # noqa: SLF001  (as above)

    def keep_body(self, data: bytes, value: Any) -> None:
        """Have the endpoint read these bytes and the JSON in them: who checked them has read the body already."""
        self._kept = data, value

    def end_with_connection(self) -> None:
        """Have the running task cancelled when the client goes away: for requests that only wait and read."""
        self.raw[WAITING_TASK] = asyncio.current_task()

    @property
    def headers(self) -> Mapping[str, str]:
        """Header fields, names in any case."""
        return self.raw.headers

    @property
    def stream(self) -> StreamReader:
        """The body, for what is too large to hold."""
        return self.raw.content

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; of a repeated one the last."""
        if self._query is None:
            self._query = self._parse() if self._raw_query else {}
        return self._query

    def _parse(self) -> dict[str, str]:
        """Like `query_list`, and several times faster on a query without any encoding, as most are."""
        raw = self._raw_query
        if "%" in raw or "+" in raw or raw.count("&") >= MAX_QUERY_FIELDS:
            return dict(self.query_list())
        query: dict[str, str] = {}
        for field in raw.split("&"):
            if field:
                name, _, value = field.partition("=")
                query[name] = value
        return query

    def query_list(self) -> list[tuple[str, str]]:
        """Query parameters in order, repeated ones included."""
        if "%00" in self._raw_query:
            raise InvalidParam("The query string contains NUL")
        try:
            return parse_qsl(self._raw_query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS, errors="strict")
        except (ValueError, UnicodeDecodeError) as error:
            raise InvalidParam("The query string cannot be read: send UTF-8, percent-encoded") from error

    @property
    def client_address(self) -> str:
        """The address of the client: the last forwarded one that a trusted proxy vouches for."""
        peer = self.raw.remote or ""
        if not self.trusted_proxies:
            return peer
        chain = [part.strip() for part in self.raw.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
        while chain and self._is_trusted(peer):
            peer = chain.pop()
        return peer

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.trusted_proxies)

    @property
    def access_token(self) -> str | None:
        """The token of the Authorization header, or of the query as old clients send it."""
        header = self.raw.headers.get("Authorization")
        if header is not None:
            scheme, _, token = header.partition(" ")
            return token.strip() if scheme.lower() == "bearer" else None
        return self.query.get("access_token") if "access_token=" in self._raw_query else None

    async def body(self, limit: int | None = None) -> bytes:
        """The whole body. Raises TooLarge beyond `limit` bytes, TimeoutError where it takes too long to arrive."""
        if self._kept is not None:
            return self._kept[0]
        most = self.max_body if limit is None else limit
        if (self.raw.content_length or 0) > most:
            raise TooLarge(f"The body is larger than {most} bytes")
        if not self.raw.body_exists:
            return b""
        content = self.raw.content
        if content.is_eof():
            data = content.read_nowait()
        else:
            async with asyncio.timeout(self.body_timeout_s):
                data = await _read(content, most)
        if len(data) > most:
            raise TooLarge(f"The body is larger than {most} bytes")
        return data

    async def json(self, *, optional: bool = False) -> Any:
        """The body as JSON. Raises NotJson, or BadJson for one that is nested too deeply."""
        if self._kept is not None and self._kept[0]:
            return self._kept[1]
        data = await self.body()
        if not data and optional:
            return {}
        return decode(data)


async def _read(content: StreamReader, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await content.readany():
        parts.append(part)
        size += len(part)
        if size > most:
            raise TooLarge(f"The body is larger than {most} bytes")
    return b"".join(parts)


def decode(data: bytes) -> Any:
    """JSON from bytes. Raises NotJson, or BadJson where it nests deeper than the limit."""
    import orjson

    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise NotJson("The body is not JSON") from error
    if data.count(b"{") + data.count(b"[") > MAX_JSON_DEPTH and _depth_exceeds(value, MAX_JSON_DEPTH):
        raise BadJson(f"The JSON nests deeper than {MAX_JSON_DEPTH} levels")
    return value


def _depth_exceeds(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def unquote_segment(segment: str) -> str:
    """A path segment decoded. Raises InvalidParam where it is not UTF-8."""
    if "%" not in segment:
        return segment
    try:
        text = unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidParam("The path is not UTF-8") from error
    if "\0" in text:
        raise InvalidParam("The path contains NUL")
    return text
