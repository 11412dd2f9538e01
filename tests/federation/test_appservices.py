"""A bridge on one server, people on another: invites, messages, keys and aliases cross the federation."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from appservice import AS_TOKEN, ScriptedAppservice, registration, scripted_appservice, write_registration
from federation.authority import Authority
from federation.handing_in import segment
from federation.member import Member, Refused
from federation.servers import MyelinServer

pytestmark = [pytest.mark.peers]


@pytest.fixture
async def appservice() -> AsyncIterator[ScriptedAppservice]:
    async with scripted_appservice() as running:
        yield running


@pytest.fixture
async def bridged(tmp_path: Path, authority: Authority, appservice: ScriptedAppservice) -> AsyncIterator[MyelinServer]:
    """A server with the bridge."""
    fields = {"receive_ephemeral": True, "org.matrix.msc3202": True}
    file = write_registration(tmp_path, registration(appservice.url, **fields))
    server = MyelinServer(tmp_path / "bridged", authority, settings=[f'appservices.registrations=["{file}"]'])
    await server.start()
    yield server
    server.kill()


@pytest.fixture
async def alice(myelin_server: MyelinServer, session: aiohttp.ClientSession) -> Member:
    """A person on the other server."""
    return await myelin_server.register(session, "alice")


async def ghost_of(bridged: MyelinServer, session: aiohttp.ClientSession) -> tuple[Member, str]:
    """The bridge's client, and a user that it made, with a device."""
    bot = Member(session, bridged.url, bridged.server_name)
    bot.token = AS_TOKEN
    body = {"type": "m.login.application_service", "username": "irc_carol", "inhibit_login": True}
    made = await bot.post("register", body)
    await bot.put("devices/BRIDGE", {"display_name": "Bridge"}, user_id=made["user_id"])
    return bot, made["user_id"]


async def test_a_room_of_another_server(
    bridged: MyelinServer, appservice: ScriptedAppservice, alice: Member, session: aiohttp.ClientSession
) -> None:
    bot, carol = await ghost_of(bridged, session)
    room_id = await alice.create_room(preset="private_chat")
    await alice.post(f"rooms/{room_id}/invite", {"user_id": carol})

    def invited(bridge: ScriptedAppservice) -> bool:
        return any(e.get("state_key") == carol and e["content"]["membership"] == "invite" for e in bridge.events)

    await appservice.until(invited)
    await bot.post(f"join/{room_id}", user_id=carol, server_name=alice.server_name)
    sent = [await alice.send(room_id, f"message {n}") for n in range(5)]
    await appservice.gets(sent[-1])
    assert [i for i in appservice.event_ids if i in sent] == sent
    answer = await bot.put(
        f"rooms/{room_id}/send/m.room.message/1", {"msgtype": "m.text", "body": "from IRC"}, user_id=carol, ts=1234
    )
    event = await alice.receives(room_id, answer["event_id"])
    assert (event["sender"], event["origin_server_ts"]) == (carol, 1234)
    await alice.put("sendToDevice/m.test/1", {"messages": {carol: {"BRIDGE": {"secret": 1}}}})
    await appservice.until(lambda b: b.all_of("to_device"))
    message = appservice.all_of("to_device")[0]
    assert (message["sender"], message["to_user_id"], message["to_device_id"]) == (alice.user_id, carol, "BRIDGE")
    await alice.put(f"rooms/{room_id}/typing/{alice.user_id}", {"typing": True, "timeout": 20_000})
    await appservice.until(
        lambda b: any(
            e["type"] == "m.typing" and alice.user_id in e["content"]["user_ids"] for e in b.all_of("ephemeral")
        )
    )
    await alice.post(f"rooms/{room_id}/kick", {"user_id": carol})
    await appservice.until(lambda b: any(e["content"].get("membership") == "leave" for e in b.events))


async def test_a_user_who_is_made_when_another_server_invites_them(
    bridged: MyelinServer, appservice: ScriptedAppservice, alice: Member, session: aiohttp.ClientSession
) -> None:
    bot, _ = await ghost_of(bridged, session)
    dave = f"@irc_dave:{bridged.server_name}"

    async def make(asked: str) -> None:
        if "irc_dave" in asked:
            body = {"type": "m.login.application_service", "username": "irc_dave", "inhibit_login": True}
            await bot.post("register", body)

    appservice.answers[f"/_matrix/app/v1/users/{segment(dave)}"] = {}
    appservice.on_query = make
    room_id = await alice.create_room(preset="private_chat")
    with pytest.raises(Refused):
        await alice.post(f"rooms/{room_id}/invite", {"user_id": f"@nobody:{bridged.server_name}"})
    await alice.post(f"rooms/{room_id}/invite", {"user_id": dave})
    await appservice.until(lambda b: any(e.get("state_key") == dave for e in b.events))
    await bot.post(f"join/{room_id}", user_id=dave, server_name=alice.server_name)
    members = await alice.get(f"rooms/{segment(room_id)}/joined_members")
    assert dave in members["joined"]


async def test_an_alias_that_is_made_when_another_server_asks_for_it(
    bridged: MyelinServer, appservice: ScriptedAppservice, alice: Member, session: aiohttp.ClientSession
) -> None:
    bot, _ = await ghost_of(bridged, session)
    alias = f"%23irc_lobby:{bridged.server_name}"

    async def make(asked: str) -> None:
        if "irc_lobby" in asked:
            await bot.post("createRoom", {"room_alias_name": "irc_lobby", "preset": "public_chat"})

    appservice.answers[f"/_matrix/app/v1/rooms/{alias}"] = {}
    appservice.on_query = make
    joined = await alice.post(f"join/{alias}")
    await appservice.until(lambda b: any(e.get("state_key") == alice.user_id for e in b.events))
    assert joined["room_id"] in {e["room_id"] for e in appservice.events}


async def test_people_of_other_servers_are_in_no_namespace(
    tmp_path: Path, authority: Authority, appservice: ScriptedAppservice, alice: Member, session: aiohttp.ClientSession
) -> None:
    everybody = {"users": [{"exclusive": False, "regex": "@.*"}]}
    file = write_registration(tmp_path, registration(appservice.url, namespaces=everybody))
    server = MyelinServer(tmp_path / "all", authority, settings=[f'appservices.registrations=["{file}"]'])
    await server.start()
    try:
        bot = Member(session, server.url, server.server_name)
        bot.token = AS_TOKEN
        status, _, _ = await bot.raw("GET", "account/whoami", user_id=alice.user_id)
        assert status == 403
    finally:
        server.kill()
