"""A user signs in to a web client in Chromium: matrix-js-sdk, OAuth 2.0, the pages of the server, TLS on all sides."""

import asyncio
import contextlib
import json
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from peers.js_sdk import FOLDER, node
from postgres import free_port
from server_process import ServerProcess

pytestmark = pytest.mark.peers

APP = "app.example.com"
SERVER = "matrix.example.com"
SCENE_DEADLINE_S = 300
PAGE = "<!doctype html><title>App</title><script src=/app.js></script>"
PAGES = [
    f"Make an account on {SERVER}",
    "Allow access to your account?",
    "Let this device into your account?",
    "Your account",
    "Reset your digital identity?",
    "The app made a mistake",
    f"Sign in to {SERVER}",
]


async def bundle(folder: Path) -> str:
    """The app as one script."""
    made = folder / "app.js"
    esbuild = FOLDER / "node_modules" / "esbuild" / "bin" / "esbuild"
    options = ["--bundle", "--format=iife", "--define:global=window", "--loader:.wasm=empty", f"--outfile={made}"]
    process = await asyncio.create_subprocess_exec(
        esbuild, "oauth/app.mjs", *options, "--log-level=error", cwd=FOLDER, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return made.read_text()


@contextlib.asynccontextmanager
async def serving(script: str, authority: trustme.CA) -> AsyncIterator[int]:
    """The app's own web server; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(APP).configure_cert(context)

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path == "/app.js":
            return web.Response(text=script, content_type="text/javascript")
        return web.Response(text=PAGE, content_type="text/html")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def homeserver(folder: Path, authority: trustme.CA) -> AsyncIterator[int]:
    """A server under a name of its own; its HTTPS port."""
    port = free_port()
    issued = authority.issue_cert(SERVER)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    settings = [
        f"server.public_url=https://{SERVER}",
        f'server.listen_tls=["127.0.0.1:{port}"]',
        f"server.tls_certificate={certificate}",
        f"server.tls_private_key={key}",
        "auth.enabled=true",
        "sessions.refreshable_access_token_lifetime_ms=10000",
    ]
    async with ServerProcess(folder / "data", settings=settings, server_name=SERVER) as server:
        await server.start()
        yield port


async def drive(**given: Any) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        str(node()),
        "oauth/drive.mjs",
        cwd=FOLDER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SCENE_DEADLINE_S):
            answer, errors = await process.communicate(json.dumps(given).encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert answer, errors.decode()
    seen: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return seen


async def test_a_user_registers_signs_in_and_leaves_in_a_browser(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    assert chromium is not None, "script/test installs Chromium"
    authority = trustme.CA()
    async with serving(await bundle(tmp_path), authority) as app, homeserver(tmp_path, authority) as port:
        seen = await drive(
            chromium=chromium,
            app=f"https://{APP}/",
            homeserver=f"https://{SERVER}",
            rules=f"MAP {APP}:443 127.0.0.1:{app}, MAP {SERVER}:443 127.0.0.1:{port}",
            screenshots=os.environ.get("PAGES_SCREENSHOTS"),
        )
    assert "error" not in seen, seen["error"]
    assert seen["violations"] == []
    assert seen["pages"] == PAGES
    user = seen["user"]
    assert (user["user"], user["state"]) == (f"@newcomer:{SERVER}", "a state")
    assert user["device"] == user["asked"]
    assert seen["used"]["room"] == "Made in a browser"
    assert seen["used"]["renewed"] >= 1
    assert seen["used"]["left"] == "M_UNKNOWN_TOKEN"
    assert seen["device"]["user"] == f"@newcomer:{SERVER}"
    assert seen["device"]["device"] == seen["device"]["asked"]
