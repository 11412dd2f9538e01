"""Answer with a file as the second part of multipart/mixed, as media go to other servers (RFC 2046)."""

import asyncio
from typing import BinaryIO

from aiohttp import web

from myelin.http.file_response import READ_SIZE, FileToSend
from myelin.http.request import Request


async def send_in_multipart(request: Request, file: FileToSend, boundary: str) -> web.StreamResponse:
    """An empty JSON object, then the file with its headers. Raises FileNotFoundError before anything is sent.

    `boundary` must be too long and too random to be found in the file.
    """
    described = "".join(f"{name}: {value}\r\n" for name, value in file.headers.items())
    head = (
        f"\r\n--{boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{boundary}\r\n{described}\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    opened = await asyncio.to_thread(file.path.open, "rb", 0)
    try:
        # Without quotes: Synapse takes them for a part of the boundary.
        response = web.StreamResponse(headers={"Content-Type": f"multipart/mixed; boundary={boundary}"})
        response.content_length = len(head) + file.size + len(tail)
        await _send(request, response, opened, head, tail)
    finally:
        opened.close()
    return response


async def _send(request: Request, response: web.StreamResponse, opened: BinaryIO, head: bytes, tail: bytes) -> None:
    left = (response.content_length or 0) - len(head) - len(tail)
    try:
        await response.prepare(request.raw)
        await response.write(head)
        while left:
            chunk = await asyncio.to_thread(opened.read, min(READ_SIZE, left))
            if not chunk:
                raise OSError("the file is shorter than it was")  # noqa: TRY301  (handled like a disk that fails)
            left -= len(chunk)
            await response.write(chunk)
        await response.write(tail)
        await response.write_eof()
    except OSError:
        # The head is sent: the only way to say that the rest is missing is to hang up.
        if request.raw.transport is not None:
            request.raw.transport.abort()
