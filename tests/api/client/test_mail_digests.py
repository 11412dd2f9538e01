"""Pushers of kind `email`: unread messages gathered into a mail, and the link that ends them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from held_clock import HeldClock
from inprocess import Client, TestServer, make_config, running_server
from mail_server import MailServer, mail_server, text_of
from myelin.config.sections.mail import Mail
from myelin.config.sections.messaging import Push
from myelin.services.push.mail_digests import MailDigests
from myelin.store.pushers import PusherStore
from myelin.store.third_party_ids import ThirdPartyIdStore
from myelin.telemetry.ambient import Clock
from polling import until

ADDRESS = "alice@example.org"
PUSHER = {
    "kind": "email",
    "app_id": "m.email",
    "pushkey": ADDRESS,
    "app_display_name": "Mail",
    "device_display_name": ADDRESS,
    "lang": "en",
    "data": {},
}


@asynccontextmanager
async def house(
    folder: Path, url: str = "", clock: Clock | None = None, push: Push | None = None, **options: Any
) -> AsyncIterator[tuple[TestServer, MailServer, Client, Client]]:
    """Alice, who has an address and a pusher for it, and Bob."""
    given = {"digest_delay_ms": 0, "digest_interval_ms": 0, **options}
    async with mail_server() as mail:
        config = make_config(
            folder,
            url,
            mail=Mail(smtp_host="127.0.0.1", smtp_port=mail.port, security="none", **given),
            push=push or Push(),
        )
        async with running_server(config, clock) as server:
            alice, bob = await server.register("alice"), await server.register("bob")
            await ThirdPartyIdStore(server.app.ground.database).add("email", ADDRESS, alice.user_id, 1, 1)
            await alice.post("pushers/set", PUSHER)
            yield server, mail, alice, bob


async def room_of(alice: Client, bob: Client, **fields: Any) -> str:
    room = await bob.create_room(preset="public_chat", **fields)
    await alice.post(f"rooms/{room}/join")
    return room


async def test_what_is_not_read_is_mailed(tmp_path: Path, database_url: str) -> None:
    async with house(tmp_path, database_url) as (_, mail, alice, bob):
        room = await room_of(alice, bob, name="Garden <b>plans</b>")
        await bob.put(f"profile/{bob.user_id}/displayname", {"displayname": "Bob\r\nBcc: x@y"})
        await bob.send(room, "Shall we plant <beans>?")
        sent = await mail.next()
        assert sent["To"] == ADDRESS
        assert sent["Subject"] == "Bob Bcc: x@y in Garden <b>plans</b>"
        assert sent["Bcc"] is None
        assert "Shall we plant <beans>?" in text_of(sent)
        html = text_of(sent, "html")
        assert "Shall we plant &lt;beans&gt;?" in html
        assert "Garden &lt;b&gt;plans&lt;/b&gt;" in html
        assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        pushers = (await alice.get("pushers"))["pushers"]
        assert [(p["kind"], p["pushkey"]) for p in pushers] == [("email", ADDRESS)]


async def test_messages_wait_to_be_read_and_are_gathered(tmp_path: Path) -> None:
    clock = HeldClock()
    async with house(tmp_path, "", clock, digest_delay_ms=600_000, digest_interval_ms=3_600_000) as house_:
        server, mail, alice, bob = house_
        store = PusherStore(server.app.ground.database)
        room, other = await room_of(alice, bob, name="One"), await room_of(alice, bob, name="Two")
        read = await bob.send(room, "read meanwhile")
        sent_last = [await bob.send(other, f"message {number}") for number in range(7)][-1]
        pusher = (await store.of_user(alice.user_id))[0]
        await until_queued(store, pusher.pusher_id, sent_last)
        await alice.post(f"rooms/{room}/receipt/m.read/{read}")
        clock.pass_ms(600_000)
        await until_queued(store, pusher.pusher_id, await bob.send(room, "the last"))
        await restart_waiting(server, pusher.pusher_id)
        sent = await mail.next()
        assert sent["Subject"] == "8 new messages in 2 rooms"
        words = text_of(sent)
        assert "read meanwhile" not in words
        assert ["message 4" in words, "message 5" in words, "and 2 more" in words] == [True, False, True]
        await until_queued(store, pusher.pusher_id, await bob.send(room, "too soon"))
        clock.pass_ms(3_599_999)
        await restart_waiting(server, pusher.pusher_id)
        assert len(mail.mails) == 1
        clock.pass_ms(1)
        await restart_waiting(server, pusher.pusher_id)
        assert "too soon" in text_of(await mail.next(2))


async def until_queued(store: PusherStore, pusher_id: int, event_id: str) -> None:
    async def is_queued() -> bool:
        return event_id in [entry.event_id for entry in await store.queued(pusher_id, 100)]

    await until(is_queued)


async def restart_waiting(server: TestServer, pusher_id: int) -> None:
    """Have the digest's time looked at now: the task that waits sleeps by the machine's clock."""
    digests: MailDigests = server.app.services[MailDigests]
    pusher = await PusherStore(server.app.ground.database).pusher(pusher_id)
    assert pusher is not None
    await digests.deliver(pusher)


async def test_content_stays_here_where_the_configuration_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, push=Push(include_content=False)) as (_, mail, alice, bob):
        room = await room_of(alice, bob)
        await bob.send(room, "private words")
        sent = await mail.next()
        assert "private words" not in text_of(sent) + text_of(sent, "html")
        assert "sent a message" in text_of(sent)


async def test_the_link_ends_the_mails_after_asking(tmp_path: Path) -> None:
    async with house(tmp_path) as (server, mail, alice, bob):
        room = await room_of(alice, bob)
        await bob.send(room, "one")
        header = (await mail.next())["List-Unsubscribe"]
        link = re.sub(r"^https?://[^/]+", server.base, header.strip("<>"))
        async with server.session.get(link) as page:
            assert ADDRESS in await page.text()
        assert len((await alice.get("pushers"))["pushers"]) == 1
        async with server.session.post(link[:-3] + "abc", data={}) as forged:
            assert forged.status == 404
        async with server.session.post(link, data={"List-Unsubscribe": "One-Click"}) as done:
            assert done.status == 200
        assert (await alice.get("pushers"))["pushers"] == []
        await bob.send(room, "two")
        await alice.get("sync")
        assert len(mail.mails) == 1


async def test_only_ones_own_proven_address_gets_digests(tmp_path: Path) -> None:
    async with house(tmp_path) as (_, _mail, alice, bob):
        (await bob("POST", "pushers/set", PUSHER)).error(400, "M_INVALID_PARAM")
        for change in ({"pushkey": "other@example.org"}, {"app_id": "x"}, {"pushkey": ADDRESS.upper()}):
            (await alice("POST", "pushers/set", {**PUSHER, **change})).error(400, "M_INVALID_PARAM")
        await alice.post("account/3pid/delete", {"medium": "email", "address": ADDRESS})
        assert (await alice.get("pushers"))["pushers"] == []
