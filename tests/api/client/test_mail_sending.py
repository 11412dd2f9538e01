"""How mail is handed to the mail server: again where it was away, securely, and given up at last."""

import ssl
from pathlib import Path

import pytest
import trustme

from held_clock import HeldClock
from inprocess import TestServer, make_config, running_server
from mail_house import ADDRESS, REGISTER, ask, house
from mail_server import MailServer, mail_server
from myelin.config.config import Config
from myelin.config.sections.accounts import Registration
from myelin.config.sections.mail import Mail
from myelin.services.mail.outbox import FIRST_RETRY_MS, GIVE_UP_MS, LEASE_MS, Outbox
from myelin.store.mail import MailStore
from polling import until


async def waiting(server: TestServer) -> int:
    return await MailStore(server.app.ground.database).waiting()


async def test_mail_that_is_not_taken_is_sent_again_later(tmp_path: Path, database_url: str) -> None:
    clock = HeldClock()
    async with house(tmp_path, database_url, clock) as (server, mail):
        outbox: Outbox = server.app.services[Outbox]
        mail.replies = ["451 later", "451 later"]
        await ask(server.anonymous, REGISTER)
        for left, wait in ((1, FIRST_RETRY_MS), (0, 2 * FIRST_RETRY_MS)):
            await until_replies(server, mail, left)
            assert not await outbox.send_next()
            clock.pass_ms(wait)
            outbox.wake()
        await mail.next()


async def until_replies(server: TestServer, mail: MailServer, left: int) -> None:
    """Wait until the server has given all but so many replies, and the mail was put off."""
    await mail.until(lambda server: len(server.replies) == left)
    outbox: Outbox = server.app.services[Outbox]
    await until(lambda: not outbox.is_sending)


async def test_mail_that_is_refused_is_not_sent_again(tmp_path: Path) -> None:
    async with house(tmp_path) as (server, mail):
        mail.replies = ["550 never"]
        await ask(server.anonymous, REGISTER, "gone@example.org")
        await until_replies(server, mail, 0)
        assert await waiting(server) == 0
        assert mail.mails == []


async def test_mail_waits_for_a_mail_server_that_is_away(tmp_path: Path) -> None:
    clock = HeldClock()

    def config(port: int) -> Config:
        mail = Mail(smtp_host="127.0.0.1", smtp_port=port, security="none")
        return make_config(tmp_path, registration=Registration(mode="open", email="optional"), mail=mail)

    async with running_server(config(1), clock) as server:
        await ask(server.anonymous, REGISTER)
        await ask(server.anonymous, REGISTER, "bob@example.org")
        assert await waiting(server) == 2
    clock.pass_ms(LEASE_MS)  # longer than any first wait, and than the lease of a process that ended while it tried
    async with mail_server() as mail, running_server(config(mail.port), clock):
        await mail.next(2)
        assert sorted(recipient for recipients in mail.recipients for recipient in recipients) == [
            ADDRESS, "bob@example.org",
        ]  # fmt: skip


async def test_mail_that_nobody_takes_is_given_up(tmp_path: Path) -> None:
    clock = HeldClock()
    async with house(tmp_path, "", clock) as (server, mail):
        mail.replies = ["451 later", "451 later"]
        await ask(server.anonymous, REGISTER)
        await until_replies(server, mail, 1)
        clock.pass_ms(GIVE_UP_MS + 1)
        server.app.services[Outbox].wake()
        await until_replies(server, mail, 0)
        assert await waiting(server) == 0


@pytest.mark.parametrize(("secret", "taken"), [("s3cret", 1), ("wrong", 0)])
async def test_starttls_and_a_login(tmp_path: Path, secret: str, taken: int) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with mail_server(context, login=True) as mail:
        given = Mail(
            smtp_host="localhost",
            smtp_port=mail.port,
            username="myelin",
            password=secret,
            extra_ca=str(tmp_path / "ca.pem"),
        )
        config = make_config(tmp_path, registration=Registration(mode="open", email="optional"), mail=given)
        async with running_server(config) as server:
            await ask(server.anonymous, REGISTER)
            await mail.until(lambda server: bool(server.logins))
            if taken:
                await mail.next()
                assert mail.was_secured
            assert mail.logins[0] == (b"myelin", secret.encode())
            assert len(mail.mails) == taken
