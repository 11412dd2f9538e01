"""Addresses proven by mail: registration, password reset, adding and removing; sent to a real mail server."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from held_clock import HeldClock
from inprocess import Client, TestServer, make_config, running_server
from mail_server import MailServer, link_in, mail_server, text_of
from myelin.config.config import Config
from myelin.config.sections.accounts import Registration
from myelin.config.sections.mail import Mail
from myelin.config.sections.rate_limits import Bucket, RateLimits
from myelin.services.mail.outbox import FIRST_RETRY_MS, GIVE_UP_MS, LEASE_MS, Outbox
from myelin.store.mail import MailStore

ADDRESS = "alice@example.org"
REGISTER = "register/email/requestToken"
RESET = "account/password/email/requestToken"
ADD = "account/3pid/email/requestToken"
EMAIL = "m.login.email.identity"


@asynccontextmanager
async def house(
    folder: Path, url: str = "", clock: HeldClock | None = None, email: Any = "optional", **options: Any
) -> AsyncIterator[tuple[TestServer, MailServer]]:
    sections = {name: options.pop(name) for name in ("rate_limits",) if name in options}
    async with mail_server() as mail:
        config = make_config(
            folder,
            url,
            registration=Registration(mode="open", email=email),
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


async def registered(server: TestServer, mail: MailServer, name: str = "alice", address: str = ADDRESS) -> Client:
    """A user who registered with an address."""
    creds = await ask(server.anonymous, REGISTER, address)
    await follow(server, link_in(await mail.next(len(mail.mails) + 1)))
    return await server.register(name, auth={"type": EMAIL, "threepid_creds": creds})


async def addresses(client: Client) -> list[str]:
    return [entry["address"] for entry in (await client.get("account/3pid"))["threepids"]]


async def test_registration_with_an_address(tmp_path: Path, database_url: str) -> None:
    async with house(tmp_path, database_url, email="required") as (server, mail):
        body: dict[str, Any] = {"username": "alice", "password": "correct horse"}
        begun = await server.anonymous("POST", "register", body)
        assert begun.json["flows"] == [{"stages": [EMAIL]}]
        session = begun.json["session"]
        creds = await ask(server.anonymous, REGISTER, " Alice@Example.ORG ")
        auth = {"type": EMAIL, "threepid_creds": creds, "session": session}
        (await server.anonymous("POST", "register", {**body, "auth": auth})).error(401, "M_THREEPID_AUTH_FAILED")
        sent = await mail.next()
        assert mail.recipients == [[ADDRESS]]
        assert "Confirmed" in await follow(server, link_in(sent))
        made = (await server.anonymous("POST", "register", {**body, "auth": auth})).ok()
        alice = Client(server.session, server.base, made["access_token"], made["user_id"])
        known = (await alice.get("account/3pid"))["threepids"]
        assert [(entry["address"], entry["medium"]) for entry in known] == [(ADDRESS, "email")]
        assert known[0]["added_at"] >= known[0]["validated_at"] > 0
        assert (await alice.get("capabilities"))["capabilities"]["m.3pid_changes"] == {"enabled": True}
        again = {"username": "other", "password": "correct horse", "auth": {"type": EMAIL, "threepid_creds": creds}}
        (await server.anonymous("POST", "register", again)).error(401, "M_THREEPID_AUTH_FAILED")


async def test_what_the_mail_is(tmp_path: Path) -> None:
    async with house(tmp_path, sender="Chat <chat@hs1.example>") as (server, mail):
        await ask(server.anonymous, REGISTER)
        sent = await mail.next()
        assert (sent["From"], sent["To"]) == ("Chat <chat@hs1.example>", ADDRESS)
        assert sent["Subject"] == "Confirm your address for hs1"
        assert sent["Auto-Submitted"] == "auto-generated"
        assert sent["Message-ID"].endswith("@hs1.example>")
        assert sent["Date"].datetime.year >= 2025
        assert link_in(sent) in text_of(sent, "html")
        assert "60 minutes" in text_of(sent)


async def test_a_link_works_once_and_opening_it_is_not_enough(tmp_path: Path) -> None:
    async with house(tmp_path) as (server, mail):
        creds = await ask(server.anonymous, REGISTER, next_link="https://app.example.org/?a=<b>")
        link = re.sub(r"^https?://[^/]+", server.base, link_in(await mail.next()))
        for _ in range(2):
            async with server.session.get(link) as shown:
                assert ADDRESS in await shown.text()
        auth = {"type": EMAIL, "threepid_creds": creds}
        body = {"username": "alice", "password": "x", "auth": auth}
        (await server.anonymous("POST", "register", body)).error(401, "M_THREEPID_AUTH_FAILED")
        page = await follow(server, link)
        assert 'href="https://app.example.org/?a=&lt;b&gt;"' in page
        assert "Too late" in await follow(server, link, 404)
        assert "Too late" in await follow(server, link + "x", 404)
        (await server.anonymous("POST", REGISTER, {
            "client_secret": "t", "email": ADDRESS, "send_attempt": 1, "next_link": "javascript:alert(1)",
        })).error(400, "M_INVALID_PARAM")  # fmt: skip


async def test_a_link_is_good_for_a_time(tmp_path: Path) -> None:
    clock = HeldClock()
    async with house(tmp_path, "", clock, link_lifetime_ms=60_000) as (server, mail):
        await ask(server.anonymous, REGISTER)
        clock.pass_ms(60_000)
        assert "Too late" in await follow(server, link_in(await mail.next()), 404)
        creds = await ask(server.anonymous, REGISTER, attempt=2)
        await follow(server, link_in(await mail.next(2)))
        clock.pass_ms(60_000)
        auth = {"type": EMAIL, "threepid_creds": creds}
        body = {"username": "alice", "password": "correct horse", "auth": auth}
        (await server.anonymous("POST", "register", body)).error(401, "M_THREEPID_AUTH_FAILED")


async def test_the_same_attempt_sends_nothing_again_and_a_new_link_voids_the_old(tmp_path: Path) -> None:
    async with house(tmp_path) as (server, mail):
        first = await ask(server.anonymous, REGISTER)
        assert await ask(server.anonymous, REGISTER) == first
        await ask(server.anonymous, REGISTER, attempt=2)
        new, old = link_in(await mail.next(2)), link_in(mail.mails[0])
        assert "Too late" in await follow(server, old, 404)
        await follow(server, new)
        assert len(mail.mails) == 2


async def test_password_reset(tmp_path: Path, database_url: str) -> None:
    async with house(tmp_path, database_url) as (server, mail):
        alice = await registered(server, mail)
        body: dict[str, Any] = {"new_password": "an other horse"}
        begun = await server.anonymous("POST", "account/password", body)
        assert (begun.status, begun.json["flows"]) == (401, [{"stages": [EMAIL]}])
        creds = await ask(server.anonymous, RESET, "ALICE@example.org")
        auth = {"type": EMAIL, "threepid_creds": creds, "session": begun.json["session"]}
        (await server.anonymous("POST", "account/password", {**body, "auth": auth})).error(
            401, "M_THREEPID_AUTH_FAILED"
        )
        sent = await mail.next(2)
        assert (sent["Subject"], "@alice:hs1" in text_of(sent)) == ("Set a new password on hs1", True)
        await follow(server, link_in(sent))
        (await server.anonymous("POST", "account/password", {**body, "auth": auth})).ok()
        (await alice("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
        assert (await server.anonymous("POST", "login", password("alice"))).status == 403
        await server.login("alice", "an other horse")
        once_more = {**body, "auth": {"type": EMAIL, "threepid_creds": creds}}
        assert (await server.anonymous("POST", "account/password", once_more)).status == 401


async def test_a_proof_is_good_for_what_it_was_given_for(tmp_path: Path) -> None:
    async with house(tmp_path) as (server, mail):
        await registered(server, mail)
        creds = await ask(server.anonymous, REGISTER, "mallory@example.org")
        await follow(server, link_in(await mail.next(2)))
        auth = {"type": EMAIL, "threepid_creds": creds}
        taken = {"new_password": "an other horse", "auth": auth}
        (await server.anonymous("POST", "account/password", taken)).error(400, "M_THREEPID_AUTH_FAILED")
        wrong = {"type": EMAIL, "threepid_creds": {**creds, "client_secret": "other"}}
        body = {"username": "mallory", "password": "correct horse"}
        (await server.anonymous("POST", "register", {**body, "auth": wrong})).error(401, "M_THREEPID_AUTH_FAILED")
        await server.register("mallory", auth=auth)


async def test_nobody_learns_which_addresses_have_accounts(tmp_path: Path) -> None:
    async with house(tmp_path) as (server, mail):
        await registered(server, mail)
        for path in (REGISTER, RESET, ADD):
            for address in (ADDRESS, "nobody@example.org"):
                body = {"client_secret": "x", "email": address, "send_attempt": 1}
                answer = await server.anonymous("POST", path, body)
                assert (answer.status, list(answer.json)) == (200, ["sid"])
        await mail.until(lambda server: len(server.mails) == 6)
        told = [
            (recipients[0], m["Subject"]) for recipients, m in zip(mail.recipients[1:], mail.mails[1:], strict=True)
        ]
        assert sorted(told) == sorted([
            (ADDRESS, "You have an account on hs1 already"),
            ("nobody@example.org", "Confirm your address for hs1"),
            (ADDRESS, "Set a new password on hs1"),
            (ADDRESS, "You have an account on hs1 already"),
            ("nobody@example.org", "Add this address on hs1"),
        ])  # fmt: skip


async def test_addresses_are_added_and_removed(tmp_path: Path, database_url: str) -> None:
    async with house(tmp_path, database_url) as (server, mail):
        alice, bob = await server.register("alice"), await server.register("bob")
        creds = await ask(alice, ADD)
        auth = {"auth": password("alice")}
        (await alice("POST", "account/3pid/add", {**creds, **auth})).error(400, "M_THREEPID_AUTH_FAILED")
        await follow(server, link_in(await mail.next()))
        assert (await alice("POST", "account/3pid/add", creds)).status == 401
        (await alice("POST", "account/3pid/add", {**creds, **auth})).ok()
        assert await addresses(alice) == [ADDRESS]
        (await alice("POST", "account/3pid/add", {**creds, **auth})).error(400, "M_THREEPID_AUTH_FAILED")
        by_mail = {"type": "m.id.thirdparty", "medium": "email", "address": "Alice@example.org"}
        login = {"type": "m.login.password", "identifier": by_mail, "password": "correct horse"}
        assert (await server.anonymous("POST", "login", login)).ok()["user_id"] == alice.user_id
        await bob.post("account/3pid/delete", {"medium": "email", "address": ADDRESS})
        assert await addresses(alice) == [ADDRESS]
        await alice.post("account/3pid/delete", {"medium": "email", "address": ADDRESS})
        assert await addresses(alice) == []
        assert (await server.anonymous("POST", "login", login)).status == 403


async def test_of_two_who_prove_one_address_one_gets_it(tmp_path: Path) -> None:
    async with house(tmp_path) as (server, mail):
        users = [await server.register(name) for name in ("alice", "bob")]
        proofs = []
        for number, user in enumerate(users, 1):
            body = {"client_secret": f"s{number}", "email": ADDRESS, "send_attempt": 1}
            sid = (await user.post(ADD, body))["sid"]
            await follow(server, link_in(await mail.next(number)))
            proofs.append({"sid": sid, "client_secret": f"s{number}", "auth": password(("alice", "bob")[number - 1])})
        (await users[0]("POST", "account/3pid/add", proofs[0])).ok()
        (await users[1]("POST", "account/3pid/add", proofs[1])).error(400, "M_THREEPID_IN_USE")


async def test_deactivation_forgets_the_addresses(tmp_path: Path) -> None:
    async with house(tmp_path) as (server, mail):
        alice = await registered(server, mail)
        await alice.post("account/deactivate", {"auth": password("alice")})
        await registered(server, mail, "bob")


async def test_mail_to_one_address_is_limited(tmp_path: Path) -> None:
    limits = RateLimits(
        mail_recipient=Bucket(per_second=0.001, burst=2), registration=Bucket(per_second=100, burst=100)
    )
    async with house(tmp_path, rate_limits=limits) as (server, mail):
        for attempt in (1, 2):
            await ask(server.anonymous, REGISTER, attempt=attempt)
        body = {"client_secret": "other", "email": ADDRESS, "send_attempt": 1}
        (await server.anonymous("POST", RESET, body)).error(429, "M_LIMIT_EXCEEDED")
        await ask(server.anonymous, REGISTER, "bob@example.org")
        await mail.next(3)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alice",
        "@example.org",
        "a@b@c",
        "a b@example.org",
        "a@example.org\r\nBcc: b@c",
        "x" * 250 + "@a.b",
        "a@b,c@d",
    ],
)
async def test_what_is_no_address(tmp_path: Path, address: str) -> None:
    async with house(tmp_path) as (server, _):
        body = {"client_secret": "s", "email": address, "send_attempt": 1}
        (await server.anonymous("POST", REGISTER, body)).error(400, "M_INVALID_PARAM")


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
    async with asyncio.timeout(10):
        while outbox.is_sending:  # noqa: ASYNC110  (a state has no event)
            await asyncio.sleep(0.01)


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
