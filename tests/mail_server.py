"""A mail server on loopback that keeps what it is given."""

import asyncio
import contextlib
import email
import email.policy
import re
import ssl
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from polling import until

LINK = re.compile(r"https?://\S+")


class MailServer:
    """Answers with `replies`, one for each mail, and then takes everything."""

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.replies: list[str] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.was_secured = False

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        """Take one mail."""
        self.was_secured = session.ssl is not None
        if self.replies:
            return self.replies.pop(0)
        made = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(made, EmailMessage)
        self.mails.append(made)
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        """Let in whoever knows the password."""
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"s3cret")

    async def until(self, condition: Callable[["MailServer"], bool]) -> None:
        """Wait until something holds of what came."""
        await until(lambda: condition(self))

    async def next(self, count: int = 1) -> EmailMessage:
        """The `count`th mail of all."""
        await self.until(lambda server: len(server.mails) >= count)
        return self.mails[count - 1]


@contextlib.asynccontextmanager
async def mail_server(context: ssl.SSLContext | None = None, *, login: bool = False) -> AsyncIterator[MailServer]:
    """A server for the time of the block, with STARTTLS where there is a context."""
    made = MailServer()

    def protocol() -> SMTP:
        return SMTP(
            made,
            hostname="mail.test",
            tls_context=context,
            require_starttls=context is not None,
            authenticator=made.login if login else None,
            auth_required=login,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """The words of a mail."""
    part = mail.get_body((kind,))
    assert part is not None
    return part.get_content()


def link_in(mail: EmailMessage) -> str:
    """The first link of a mail's plain text."""
    found = LINK.search(text_of(mail))
    assert found is not None
    return found[0]
