"""A server that sends mail to a server on loopback, and what people do with the links in it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from held_clock import HeldClock
from inprocess import Client, TestServer, make_config, running_server
from mail_server import MailServer, mail_server
from myelin.config.sections.accounts import Registration
from myelin.config.sections.mail import Mail

ADDRESS = "alice@example.org"
REGISTER = "register/email/requestToken"


@asynccontextmanager
async def house(
    folder: Path,
    url: str = "",
    clock: HeldClock | None = None,
    email: Any = "optional",
    guests: bool = False,
    **options: Any,
) -> AsyncIterator[tuple[TestServer, MailServer]]:
    sections = {name: options.pop(name) for name in ("rate_limits",) if name in options}
    async with mail_server() as mail:
        config = make_config(
            folder,
            url,
            registration=Registration(mode="open", email=email, guests=guests),
            mail=Mail(smtp_host="127.0.0.1", smtp_port=mail.port, security="none", **options),
            **sections,
        )
        async with running_server(config, clock) as server:
            yield server, mail


async def ask(client: Client, path: str, address: str = ADDRESS, attempt: int = 1, **more: Any) -> dict[str, str]:
    """Ask for a link; what stands for the proof."""
    body = {"client_secret": "s3cret", "email": address, "send_attempt": attempt, **more}
    return {"sid": (await client.post(path, body))["sid"], "client_secret": "s3cret"}


async def follow(server: TestServer, link: str, status: int = 200) -> str:
    """Open a link, and press the button of its page; the page that comes then."""
    link = re.sub(r"^https?://[^/]+", server.base, link)
    async with server.session.get(link) as shown:
        assert shown.status == status, await shown.text()
        page = await shown.text()
    if status != 200:
        return page
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token is not None
    async with server.session.post(link.partition("?")[0], data={"token": token[1]}) as pressed:
        assert pressed.status == status
        return await pressed.text()


def password(name: str, text: str = "correct horse") -> dict[str, Any]:
    return {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": text}
