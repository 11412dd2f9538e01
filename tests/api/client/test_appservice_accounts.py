"""Application services as clients: who they are, whom they act as, what is theirs alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appservice import AS_TOKEN, Bridge, bridged, config_with, registration
from inprocess import Client, running_server
from myelin.config.sections.rate_limits import Bucket, RateLimits

LOGIN = "m.login.application_service"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as running:
        yield running


@pytest.fixture
async def bridge_on_each(tmp_path: Path, database_url: str) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path, database_url=database_url) as running:
        yield running


async def test_the_token_is_the_senders_who_exists_from_then_on(bridge_on_each: Bridge) -> None:
    bot = bridge_on_each.bot
    assert await bot.get("account/whoami") == {"user_id": "@ircbot:hs1"}
    in_query = await bridge_on_each.server.anonymous("GET", "account/whoami", access_token=AS_TOKEN)
    assert in_query.ok()["user_id"] == "@ircbot:hs1"
    await bot.put("profile/@ircbot:hs1/displayname", {"displayname": "IRC"})
    alice = await bridge_on_each.server.register("alice")
    assert await alice.get("profile/@ircbot:hs1") == {"displayname": "IRC"}


async def test_it_makes_users_and_acts_as_them(bridge_on_each: Bridge) -> None:
    ghost = await bridge_on_each.ghost("irc_carol")
    assert ghost.user_id == "@irc_carol:hs1"
    assert (await ghost.ok("GET", "account/whoami"))["user_id"] == "@irc_carol:hs1"
    alice = await bridge_on_each.server.register("alice")
    room_id = await alice.create_room(preset="public_chat")
    await ghost.join(room_id)
    sent = await ghost.ok("PUT", f"rooms/{room_id}/send/m.room.message/1", {"msgtype": "m.text", "body": "hi"})
    event = await alice.get(f"rooms/{room_id}/event/{sent['event_id']}")
    assert event["sender"] == "@irc_carol:hs1"


async def test_users_made_with_a_login_have_a_session_of_their_own(bridge: Bridge) -> None:
    made = await bridge.bot.post("register", {"type": LOGIN, "username": "irc_dave", "device_id": "DAVE"})
    dave = Client(bridge.server.session, bridge.server.base, made["access_token"])
    assert await dave.get("account/whoami") == {"user_id": "@irc_dave:hs1", "device_id": "DAVE"}
    again = await bridge.bot.post(
        "login", {"type": LOGIN, "identifier": {"type": "m.id.user", "user": "irc_dave"}, "device_id": "OTHER"}
    )
    assert (again["user_id"], again["device_id"]) == ("@irc_dave:hs1", "OTHER")
    bot = await bridge.bot.post("login", {"type": LOGIN, "user": "@ircbot:hs1"})
    assert bot["user_id"] == "@ircbot:hs1"
    flows = (await bridge.server.anonymous.get("login"))["flows"]
    assert {"type": LOGIN} in flows


@pytest.mark.parametrize(
    ("path", "body", "status", "errcode"),
    [
        ("register", {"username": "someone"}, 400, "M_EXCLUSIVE"),
        ("register", {}, 400, "M_MISSING_PARAM"),
        ("register", {"username": "@irc_x:elsewhere.example"}, 400, "M_INVALID_USERNAME"),
        ("register", {"username": "irc_taken"}, 400, "M_USER_IN_USE"),
        ("login", {"identifier": {"type": "m.id.user", "user": "alice"}}, 400, "M_EXCLUSIVE"),
        ("login", {"identifier": {"type": "m.id.user", "user": "@irc_x:elsewhere.example"}}, 400, "M_EXCLUSIVE"),
        ("login", {"identifier": {"type": "m.id.user", "user": "irc_nobody"}}, 403, "M_FORBIDDEN"),
    ],
)
async def test_what_it_cannot_make_or_sign_in(
    bridge: Bridge, path: str, body: dict[str, object], status: int, errcode: str
) -> None:
    await bridge.server.register("alice")
    await bridge.ghost("irc_taken")
    (await bridge.bot("POST", path, {"type": LOGIN, **body})).error(status, errcode)


@pytest.mark.parametrize("path", ["register", "login"])
async def test_only_application_services_register_and_log_in_as_such(bridge: Bridge, path: str) -> None:
    body = {"type": LOGIN, "username": "irc_x", "identifier": {"type": "m.id.user", "user": "irc_x"}}
    (await bridge.server.anonymous("POST", path, body)).error(401, "M_MISSING_TOKEN")
    alice = await bridge.server.register("alice")
    (await alice("POST", path, body)).error(401, "M_UNKNOWN_TOKEN")


async def test_masquerading_outside_the_namespace_is_refused(bridge: Bridge) -> None:
    await bridge.server.register("alice")
    for user_id in ("@alice:hs1", "@irc_nobody:hs1", "@irc_x:elsewhere.example", "nonsense", ""):
        answer = await bridge.bot("GET", "account/whoami", user_id=user_id)
        answer.error(403, "M_FORBIDDEN")


async def test_people_do_not_masquerade(bridge: Bridge) -> None:
    alice = await bridge.server.register("alice")
    await bridge.ghost("irc_carol")
    assert (await alice.get("account/whoami", user_id="@irc_carol:hs1"))["user_id"] == "@alice:hs1"


async def test_names_of_the_namespace_are_not_for_people(bridge: Bridge) -> None:
    body = {"username": "irc_mine", "password": "correct horse", "auth": {"type": "m.login.dummy"}}
    (await bridge.server.anonymous("POST", "register", body)).error(400, "M_EXCLUSIVE")
    (await bridge.server.anonymous("GET", "register/available", username="irc_mine")).error(400, "M_EXCLUSIVE")
    (await bridge.server.anonymous("POST", "register", {**body, "username": "ircbot"})).error(400, "M_EXCLUSIVE")


async def test_aliases_of_the_namespace_are_its_alone(bridge: Bridge) -> None:
    alice = await bridge.server.register("alice")
    room_id = await alice.create_room(preset="public_chat")
    (await alice("PUT", "directory/room/%23irc_x:hs1", {"room_id": room_id})).error(400, "M_EXCLUSIVE")
    (await alice("POST", "createRoom", {"room_alias_name": "irc_x"})).error(400, "M_EXCLUSIVE")
    await bridge.bot.put("directory/room/%23irc_x:hs1", {"room_id": room_id})
    await bridge.bot.post(f"join/{room_id}")
    (await bridge.bot("PUT", "directory/room/%23other:hs1", {"room_id": room_id})).error(400, "M_EXCLUSIVE")
    (await alice("DELETE", "directory/room/%23irc_x:hs1")).error(400, "M_EXCLUSIVE")
    ghost = await bridge.ghost("irc_carol")
    await ghost.ok("DELETE", "directory/room/%23irc_x:hs1")
    made = await ghost.ok("POST", "createRoom", {"room_alias_name": "irc_y"})
    assert (await alice.get("directory/room/%23irc_y:hs1"))["room_id"] == made["room_id"]


async def test_the_time_of_events_may_be_chosen(bridge_on_each: Bridge) -> None:
    alice = await bridge_on_each.server.register("alice")
    ghost = await bridge_on_each.ghost("irc_carol")
    room_id = (await ghost.ok("POST", "createRoom", {"preset": "public_chat", "invite": ["@alice:hs1"]}))["room_id"]
    await alice.post(f"join/{room_id}")
    content = {"msgtype": "m.text", "body": "old"}
    message = await ghost.ok("PUT", f"rooms/{room_id}/send/m.room.message/1", content, ts=1234)
    topic = await ghost.ok("PUT", f"rooms/{room_id}/state/m.room.topic", {"topic": "old"}, ts=1235)
    name = {"membership": "join", "displayname": "Carol"}
    member = await ghost.ok("PUT", f"rooms/{room_id}/state/m.room.member/{ghost.user_id}", name, ts=1236)
    for sent, ts in ((message, 1234), (topic, 1235), (member, 1236)):
        event = await alice.get(f"rooms/{room_id}/event/{sent['event_id']}")
        assert event["origin_server_ts"] == ts
    for wrong in (-1, 2**53, "yesterday"):
        path = f"rooms/{room_id}/send/m.room.message/w{wrong}"
        (await ghost("PUT", path, content, ts=wrong)).error(400, "M_INVALID_PARAM")
    own = (await alice("PUT", f"rooms/{room_id}/send/m.room.message/1", content, ts=1234)).ok()
    assert (await alice.get(f"rooms/{room_id}/event/{own['event_id']}"))["origin_server_ts"] > 1_000_000


async def test_devices_are_made_and_deleted_without_a_login(bridge_on_each: Bridge) -> None:
    ghost = await bridge_on_each.ghost("irc_carol")
    unknown = await ghost("GET", "account/whoami", device_id="BRIDGE")
    unknown.error(400, "M_UNKNOWN_DEVICE")
    await ghost.ok("PUT", "devices/BRIDGE", {"display_name": "Bridge"})
    for name in ("device_id", "org.matrix.msc3202.device_id"):
        assert (await ghost.ok("GET", "account/whoami", **{name: "BRIDGE"}))["device_id"] == "BRIDGE"
    await ghost.ok("PUT", "devices/BRIDGE", {"display_name": "Renamed"})
    await ghost.ok("PUT", "devices/OTHER", {})
    devices = {d["device_id"]: d.get("display_name") for d in (await ghost.ok("GET", "devices"))["devices"]}
    assert devices == {"BRIDGE": "Renamed", "OTHER": None}
    await ghost.ok("DELETE", "devices/BRIDGE", {})
    (await ghost("GET", "account/whoami", device_id="BRIDGE")).error(400, "M_UNKNOWN_DEVICE")
    await ghost.ok("POST", "delete_devices", {"devices": ["OTHER"]})
    assert (await ghost.ok("GET", "devices"))["devices"] == []
    alice = await bridge_on_each.server.register("alice")
    (await alice("PUT", "devices/NEW", {"display_name": "x"})).error(404, "M_NOT_FOUND")


async def test_a_device_of_somebody_else_is_not_known(bridge: Bridge) -> None:
    carol, dave = await bridge.ghost("irc_carol"), await bridge.ghost("irc_dave")
    await carol.ok("PUT", "devices/CAROL", {})
    (await dave("GET", "account/whoami", device_id="CAROL")).error(400, "M_UNKNOWN_DEVICE")
    (await bridge.bot("GET", "account/whoami", device_id="CAROL")).error(400, "M_UNKNOWN_DEVICE")


async def test_an_account_that_ended_is_nobodys(bridge: Bridge) -> None:
    carol = await bridge.ghost("irc_carol")
    await carol.ok("GET", "account/whoami")
    await carol.ok("POST", "account/deactivate", {})
    (await carol("GET", "account/whoami")).error(403, "M_FORBIDDEN")


@pytest.mark.parametrize("rate_limited", [True, False, None])
async def test_rate_limits_hold_only_where_the_registration_says_so(tmp_path: Path, rate_limited: bool | None) -> None:
    fields = {} if rate_limited is None else {"rate_limited": rate_limited}
    few = Bucket(per_second=0.001, burst=5)
    limits = RateLimits(message=few, login_address=few)
    async with bridged(tmp_path, fields, rate_limits=limits) as bridge:
        ghost = await bridge.ghost("irc_carol")
        room_id = (await ghost.ok("POST", "createRoom", {}))["room_id"]
        path = f"rooms/{room_id}/send/m.room.message/"
        statuses = {(await ghost("PUT", f"{path}{n}", {"body": "x"})).status for n in range(10)}
        assert statuses == ({200, 429} if rate_limited else {200})
        many = [await bridge.bot("POST", "login", {"type": LOGIN, "user": "irc_carol"}) for _ in range(10)]
        assert (429 in {answer.status for answer in many}) is (rate_limited is True)
        bot_room = await bridge.bot.create_room()
        for n in range(10):
            await bridge.bot.put(f"rooms/{bot_room}/send/m.room.message/{n}", {"body": "x"})


async def test_the_token_of_one_is_not_anothers(tmp_path: Path) -> None:
    other = registration(id="xmpp", as_token="other", sender_localpart="xmppbot")
    other["namespaces"] = {"users": [{"exclusive": True, "regex": "@xmpp_.*"}]}
    async with running_server(config_with(tmp_path, registration(), other)) as server:
        irc, xmpp = (Client(server.session, server.base, token) for token in (AS_TOKEN, "other"))
        await irc.post("register", {"type": LOGIN, "username": "irc_carol", "inhibit_login": True})
        (await xmpp("GET", "account/whoami", user_id="@irc_carol:hs1")).error(403, "M_FORBIDDEN")
        (await xmpp("POST", "register", {"type": LOGIN, "username": "irc_dave"})).error(400, "M_EXCLUSIVE")
        assert (await xmpp.get("account/whoami"))["user_id"] == "@xmppbot:hs1"
