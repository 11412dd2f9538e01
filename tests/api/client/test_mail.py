"""Addresses proven by mail: registration, password reset, adding and removing; sent to a real mail server."""

import re
from pathlib import Path
from typing import Any

import pytest

from held_clock import HeldClock
from inprocess import Client, TestServer
from mail_house import ADDRESS, REGISTER, ask, follow, house, password
from mail_server import MailServer, link_in, text_of
from myelin.config.sections.rate_limits import Bucket, RateLimits

RESET = "account/password/email/requestToken"
ADD = "account/3pid/email/requestToken"
EMAIL = "m.login.email.identity"


async def registered(server: TestServer, mail: MailServer, name: str = "alice", address: str = ADDRESS) -> Client:
    """A user who registered with an address."""
    before = len(mail.mails)
    creds = await ask(server.anonymous, REGISTER, address)
    await follow(server, link_in(await mail.next(before + 1)))
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


async def test_opening_a_link_is_enough_where_the_configuration_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, links_need_a_button=False) as (server, mail):
        creds = await ask(server.anonymous, REGISTER)
        link = re.sub(r"^https?://[^/]+", server.base, link_in(await mail.next()))
        for status in (200, 404):
            async with server.session.get(link) as shown:
                assert shown.status == status
        await server.register("alice", auth={"type": EMAIL, "threepid_creds": creds})


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


async def test_a_guest_who_becomes_a_user_has_the_address_that_was_proven(tmp_path: Path) -> None:
    async with house(tmp_path, email="required", guests=True) as (server, mail):
        guest = (await server.anonymous("POST", "register", {}, kind="guest")).ok()
        creds = await ask(server.anonymous, REGISTER)
        await follow(server, link_in(await mail.next()))
        body = {
            "guest_access_token": guest["access_token"],
            "username": guest["user_id"][1:].partition(":")[0],
            "password": "correct horse",
            "auth": {"type": EMAIL, "threepid_creds": creds},
        }
        made = (await server.anonymous("POST", "register", body)).ok()
        assert await addresses(Client(server.session, server.base, made["access_token"])) == [ADDRESS]


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


async def test_nul_finds_nothing(tmp_path: Path, database_url: str) -> None:
    async with house(tmp_path, database_url) as (server, _):
        alice = await server.register("alice")
        creds = {"sid": "a\0b", "client_secret": "s"}
        for proof in (creds, {"sid": "a", "client_secret": "s\0"}):
            auth = {"type": EMAIL, "threepid_creds": proof}
            body = {"new_password": "an other horse", "auth": auth}
            (await server.anonymous("POST", "account/password", body)).error(401, "M_THREEPID_AUTH_FAILED")
            added = await alice("POST", "account/3pid/add", {**proof, "auth": password("alice")})
            added.error(400, "M_THREEPID_AUTH_FAILED")
        for medium in ("email", "msisdn"):
            await alice.post("account/3pid/delete", {"medium": medium, "address": "a\0b"})
        wrong = {"client_secret": "s", "email": ADDRESS, "send_attempt": 1, "next_link": "https://a/\0"}
        (await server.anonymous("POST", REGISTER, wrong)).error(400, "M_INVALID_PARAM")
        for path in ("/_myelin/mail/confirm", "/_myelin/mail/unsubscribe"):
            for token in ("%00", "x.y", "%C3%A9", ""):
                assert (await server.anonymous("GET", f"{path}?token={token}")).status in (400, 404)
