"""Answer with a file: whole, a range of it, or "you have it already"."""

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from aiohttp import web
from multidict import CIMultiDict

from myelin.http.request import Request
from myelin.http.response import CORS_HEADERS

READ_SIZE = 256 * 1024
"""Bytes that a thread reads at once."""
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class FileToSend(NamedTuple):
    """A file that never changes, its size in bytes, and what names its content for ever."""

    path: Path
    size: int
    etag: str
    headers: Mapping[str, str]


class Range(NamedTuple):
    """Bytes from `start` to before `end`."""

    start: int
    end: int


async def send_file(request: Request, file: FileToSend) -> web.StreamResponse:
    """Answer 200, 206, 304 or 416. Raises FileNotFoundError before anything is sent.

    Of `If-None-Match`, `If-Range` and `Range` all forms are understood; several ranges at once get the whole file.
    """
    tag = f'"{file.etag}"'
    headers = CIMultiDict[str]({**CORS_HEADERS})
    headers.update(file.headers, ETag=tag)
    headers["Accept-Ranges"] = "bytes"
    if _names(request.headers.get("If-None-Match", ""), tag):
        return web.Response(status=304, headers=headers)
    wanted = _range(request, tag, file.size)
    if wanted is not None and wanted.start >= wanted.end:
        headers["Content-Range"] = f"bytes */{file.size}"
        return web.Response(status=416, headers=headers)
    part = wanted or Range(0, file.size)
    opened, first = await asyncio.to_thread(_open, file.path, part)
    try:
        response = web.StreamResponse(status=200 if wanted is None else 206, headers=headers)
        if wanted is not None:
            response.headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{file.size}"
        response.content_length = part.end - part.start
        await _send(request, response, opened, first)
    finally:
        opened.close()
    return response


async def _send(request: Request, response: web.StreamResponse, opened: BinaryIO, first: bytes) -> None:
    left = response.content_length or 0
    try:
        await response.prepare(request.raw)
        if request.method == "HEAD":
            return
        chunk = first
        while chunk:
            await response.write(chunk)
            left -= len(chunk)
            chunk = await asyncio.to_thread(opened.read, min(READ_SIZE, left)) if left else b""
        if not left:
            await response.write_eof()
            return
    except OSError:
        pass
    # The head is sent: the only way to say that the rest is missing is to hang up.
    if request.raw.transport is not None:
        request.raw.transport.abort()


def _open(path: Path, part: Range) -> tuple[BinaryIO, bytes]:
    file = path.open("rb", buffering=0)
    try:
        if part.start:
            file.seek(part.start)
        first = file.read(min(READ_SIZE, part.end - part.start))
        if part.end - part.start > READ_SIZE:
            os.posix_fadvise(file.fileno(), part.start, part.end - part.start, os.POSIX_FADV_SEQUENTIAL)
    except BaseException:
        file.close()
        raise
    return file, first


def _range(request: Request, tag: str, size: int) -> Range | None:
    """The one range asked for, empty if it lies outside; None for the whole file."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if match is None or match[0] == "bytes=-":
        return None
    if request.headers.get("If-Range", tag) != tag:
        return None
    first, last = match.groups()
    if not first:
        return Range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return Range(int(first), min(size, int(last) + 1) if last else size)


def _names(if_none_match: str, tag: str) -> bool:
    if not if_none_match:
        return False
    known = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return tag in known or "*" in known
