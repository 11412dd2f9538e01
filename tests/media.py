"""Uploads and downloads for tests, with the headers a client of media sees; and images made on the spot."""

import io
from collections.abc import AsyncIterator
from typing import Any

from PIL import Image
from yarl import URL

from inprocess import Answer, Client
from spec_schema import check_answer


async def call(client: Client, method: str, path: str, data: Any = None, **headers: str) -> Answer:
    """A request whose body and headers are the test's own; underscores in header names stand for hyphens."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if client.token:
        sent["Authorization"] = f"Bearer {client.token}"
    url = URL(client.base + path, encoded=True)
    body = io.BytesIO(data) if isinstance(data, bytes) else data
    skip = () if "Content-Type" in sent else ("Content-Type",)
    async with client._session.request(method, url, data=body, headers=sent, skip_auto_headers=skip) as response:
        raw = await response.read()
        check_answer(method, url.raw_path_qs, response.status, response.content_type, raw)
        is_json = response.content_type == "application/json" and raw
        return Answer(response.status, await response.json() if is_json else None, response.headers, raw)


async def upload(client: Client, data: Any, content_type: str = "image/png", query: str = "") -> str:
    """Upload; the `server/media_id` of its mxc:// URI."""
    answer = await call(client, "POST", f"/_matrix/media/v3/upload{query}", data, Content_Type=content_type)
    return answer.ok()["content_uri"].removeprefix("mxc://")


async def download(client: Client, media: str, **headers: str) -> Answer:
    """Download `server/media_id[/name]`."""
    return await call(client, "GET", f"/_matrix/client/v1/media/download/{media}", **headers)


async def thumbnail(
    client: Client, media: str, width: Any, height: Any, method: str = "scale", more: str = ""
) -> Answer:
    """Ask for a thumbnail."""
    query = f"width={width}&height={height}&method={method}{more}"
    return await call(client, "GET", f"/_matrix/client/v1/media/thumbnail/{media}?{query}")


def picture(width: int, height: int, kind: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    """An image with a gradient, so that it does not shrink to nothing."""
    gradient = Image.linear_gradient("L").resize((width, height))
    out = io.BytesIO()
    Image.merge("RGB", (gradient, gradient.rotate(90), gradient.rotate(180))).convert(mode).save(out, kind, **options)
    return out.getvalue()


def animation(width: int, height: int, frames: int, kind: str = "GIF") -> bytes:
    """Frames of different gray."""
    images = [Image.new("L", (width, height), 10 + 20 * i) for i in range(frames)]
    out = io.BytesIO()
    images[0].save(out, kind, save_all=True, append_images=images[1:], duration=50, loop=0)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    """The image in these bytes, decoded."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


async def stream_of(*chunks: bytes) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for chunk in chunks:
        yield chunk
