"""Directories of bridged networks, and look-ups on them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from appservice import Bridge, bridged, config_with, registration, scripted_appservice
from inprocess import running_server

APP = "/_matrix/app/v1/thirdparty"
PROTOCOL = {
    "user_fields": ["nick"],
    "location_fields": ["channel"],
    "icon": "mxc://hs1/irc",
    "field_types": {
        "nick": {"regexp": ".+", "placeholder": "nick"},
        "channel": {"regexp": "#.+", "placeholder": "#x"},
    },
    "instances": [{"network_id": "libera", "desc": "Libera", "fields": {}}],
}


@pytest.fixture
async def bridge(tmp_path: Path, database_url: str) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path, {"protocols": ["irc"]}, database_url=database_url) as running:
        running.appservice.answers[f"{APP}/protocol/irc"] = PROTOCOL
        yield running


async def listed(client: Any, **body: Any) -> list[str]:
    answer = await client.post("publicRooms", body)
    assert answer["total_room_count_estimate"] >= len(answer["chunk"])
    return [room["room_id"] for room in answer["chunk"]]


async def test_rooms_of_a_network_are_listed_apart(bridge: Bridge) -> None:
    alice = await bridge.server.register("alice")
    public = await alice.create_room(preset="public_chat", visibility="public", name="own")
    channel = await alice.create_room(preset="public_chat", name="channel")
    both = await alice.create_room(preset="public_chat", visibility="public", name="both")
    for room_id in (channel, both):
        await bridge.bot.put(f"directory/list/appservice/libera/{room_id}", {"visibility": "public"})
    await bridge.bot.put(f"directory/list/appservice/oftc/{channel}", {"visibility": "public"})
    assert set(await listed(alice)) == {public, both}
    assert set(await listed(alice, third_party_instance_id="irc|libera")) == {channel, both}
    assert await listed(alice, third_party_instance_id="irc|oftc") == [channel]
    assert await listed(alice, third_party_instance_id="irc|unknown") == []
    everything = await listed(alice, include_all_networks=True)
    assert sorted(everything) == sorted([public, channel, both])
    first = await alice.post("publicRooms", {"include_all_networks": True, "limit": 2})
    rest = await alice.post("publicRooms", {"include_all_networks": True, "limit": 2, "since": first["next_batch"]})
    assert [r["room_id"] for r in first["chunk"] + rest["chunk"]] == everything
    back = await alice.post("publicRooms", {"include_all_networks": True, "limit": 2, "since": rest["prev_batch"]})
    assert back["chunk"] == first["chunk"]
    await bridge.bot.put(f"directory/list/appservice/libera/{channel}", {"visibility": "private"})
    assert await listed(alice, third_party_instance_id="irc|libera") == [both]
    await bridge.bot("DELETE", f"directory/list/appservice/libera/{both}")
    assert await listed(alice, third_party_instance_id="irc|libera") == []
    assert set(await listed(alice)) == {public, both}


async def test_what_cannot_be_listed(bridge: Bridge) -> None:
    alice = await bridge.server.register("alice")
    room_id = await alice.create_room()
    path = f"directory/list/appservice/libera/{room_id}"
    (await alice("PUT", path, {"visibility": "public"})).error(403, "M_FORBIDDEN")
    (await bridge.bot("PUT", path, {"visibility": "secret"})).error(400, "M_BAD_JSON")
    (await bridge.bot("PUT", path, {})).error(400, "M_MISSING_PARAM")
    unknown = "directory/list/appservice/libera/!nothing:hs1"
    (await bridge.bot("PUT", unknown, {"visibility": "public"})).error(404, "M_NOT_FOUND")
    long = f"directory/list/appservice/{'x' * 256}/{room_id}"
    (await bridge.bot("PUT", long, {"visibility": "public"})).error(400, "M_INVALID_PARAM")
    both = {"include_all_networks": True, "third_party_instance_id": "irc|libera"}
    (await alice("POST", "publicRooms", both)).error(400, "M_INVALID_PARAM")


async def test_networks_are_those_that_application_services_name(bridge: Bridge) -> None:
    alice = await bridge.server.register("alice")
    found = await alice.get("thirdparty/protocols")
    instance = {**PROTOCOL["instances"][0], "instance_id": "irc|libera"}  # type: ignore[index]
    assert found == {"irc": {**PROTOCOL, "instances": [instance]}}
    assert await alice.get("thirdparty/protocol/irc") == found["irc"]
    asked = [r for r in bridge.appservice.requests if r.path.endswith("/protocol/irc")]
    assert len(asked) == 1


async def test_places_and_people_are_looked_up(bridge: Bridge) -> None:
    alice = await bridge.server.register("alice")
    place = {"alias": "#irc_x:hs1", "protocol": "irc", "fields": {"channel": "#x"}}
    person = {"userid": "@irc_carol:hs1", "protocol": "irc", "fields": {"nick": "carol"}}
    bridge.appservice.answers |= {
        f"{APP}/location/irc": [place, "nonsense", {"alias": 1}],
        f"{APP}/user/irc": [person],
        f"{APP}/location": [place],
        f"{APP}/user": [person],
    }
    assert await alice.get("thirdparty/location/irc", channel="#x") == [place]
    assert bridge.appservice.requests[-1].query == {"channel": "#x"}
    assert await alice.get("thirdparty/user/irc", nick="carol") == [person]
    assert await alice.get("thirdparty/location", alias="#irc_x:hs1") == [place]
    assert await alice.get("thirdparty/user", userid="@irc_carol:hs1") == [person]
    asked = len(bridge.appservice.requests)
    assert await alice.get("thirdparty/location", alias="#other:hs1") == []
    assert await alice.get("thirdparty/user", userid="@alice:hs1") == []
    assert len(bridge.appservice.requests) == asked


@pytest.mark.parametrize("answer", [500, {}, [], {"instances": ["none"]}, {**PROTOCOL, "instances": "none"}])
async def test_who_does_not_answer_as_the_spec_says_has_found_nothing(tmp_path: Path, answer: Any) -> None:
    async with bridged(tmp_path, {"protocols": ["irc"]}) as bridge:
        bridge.appservice.answers[f"{APP}/protocol/irc"] = answer
        alice = await bridge.server.register("alice")
        assert await alice.get("thirdparty/protocols") == {}


async def test_several_application_services_serve_one_protocol(tmp_path: Path) -> None:
    async with scripted_appservice() as one, scripted_appservice() as other:
        for appservice, network in ((one, "libera"), (other, "oftc")):
            shown = {**PROTOCOL, "instances": [{"network_id": network, "desc": network, "fields": {}}]}
            appservice.answers[f"{APP}/protocol/irc"] = shown
        second = registration(
            other.url, id="irc2", as_token="2", sender_localpart="bot2", protocols=["irc"], namespaces={}
        )
        first = registration(one.url, protocols=["irc"])
        async with running_server(config_with(tmp_path, first, second)) as server:
            alice = await server.register("alice")
            found = await alice.get("thirdparty/protocol/irc")
            assert [i["instance_id"] for i in found["instances"]] == ["irc|libera", "irc2|oftc"]
