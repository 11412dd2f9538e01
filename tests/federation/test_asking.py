"""What one server asks of another for its users: media, lists, aliases, spaces, summaries, moments."""

import asyncio
import io
import time
from urllib.parse import quote

import pytest
from PIL import Image

from federation.conftest import Sides
from federation.member import Member, Refused, agree, eventually
from myelin.matrix.identifiers import localpart_of

pytestmark = [pytest.mark.peers]


async def test_media_are_fetched_with_name_type_and_thumbnail(sides: Sides) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    picture = _picture()
    server, media_id = await _upload(alice, picture, "image/png", "picture.png")
    status, data, headers = await bob.raw("GET", f"/_matrix/client/v1/media/download/{server}/{media_id}")
    assert (status, data, headers["Content-Type"]) == (200, picture, "image/png")
    assert "picture.png" in headers["Content-Disposition"]
    path = f"/_matrix/client/v1/media/thumbnail/{server}/{media_id}"
    status, data, headers = await bob.raw("GET", path, width=32, height=32, method="crop")
    assert (status, headers["Content-Type"].partition("/")[0]) == (200, "image")
    assert max(Image.open(io.BytesIO(data)).size) < 200


async def test_media_that_are_not_there_are_not_found(sides: Sides) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    status, _, _ = await bob.raw("GET", f"/_matrix/client/v1/media/download/{alice.server_name}/nosuchmedia")
    assert status == 404


async def test_large_media_arrive_whole(sides: Sides) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    content = bytes(range(256)) * 16_384
    server, media_id = await _upload(alice, content, "application/octet-stream", "four-mebibytes.bin")
    status, data, _ = await bob.raw("GET", f"/_matrix/client/v1/media/download/{server}/{media_id}")
    assert (status, data == content) == (200, True)


async def test_public_rooms_of_the_other_server_are_listed_and_searched(sides: Sides) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    word = localpart_of(alice.user_id)
    shown = await alice.create_room(name=f"Garden of {word}", visibility="public")
    space = await alice.create_room(name=f"Space of {word}", visibility="public", creation_content={"type": "m.space"})
    hidden = await alice.create_room(name=f"Cellar of {word}")

    async def listed(**body: object) -> set[str]:
        page = await bob.post(f"publicRooms?server={alice.server_name}", body)
        return {room["room_id"] for room in page["chunk"]}

    mine = {"generic_search_term": word}
    await eventually(lambda: _is({shown, space}, listed(filter=mine, limit=10)))
    assert hidden not in await listed(limit=100)
    assert await listed(filter={**mine, "room_types": ["m.space"]}) == {space}
    page = await bob.get("publicRooms", server=alice.server_name, limit=1)
    assert len(page["chunk"]) == 1


async def test_an_alias_of_the_other_server_is_resolved_and_joined(sides: Sides) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    name = localpart_of(alice.user_id)
    room = await alice.create_room(room_alias_name=name)
    alias = f"#{name}:{alice.server_name}"
    found = await bob.get(f"directory/room/{alias.replace('#', '%23')}")
    assert (found["room_id"], alice.server_name in found["servers"]) == (room, True)
    assert await bob.join(alias) == room
    await alice.member_becomes(room, bob, "join")
    with pytest.raises(Refused) as missing:
        await bob.join(f"#nothing-{name}:{alice.server_name}")
    assert missing.value.status == 404


async def test_the_tree_of_a_space_goes_over_both_servers(sides: Sides) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    space = await alice.create_room(name="Everything", creation_content={"type": "m.space"})
    inner = await alice.create_room(name="Inner", creation_content={"type": "m.space"})
    open_room = await alice.create_room(name="Open")
    closed = await alice.create_room(name="Closed", preset="private_chat")
    of_bob = await bob.create_room(name="Of the guest")
    await _child(alice, space, inner, alice)
    await _child(alice, space, of_bob, bob)
    await _child(alice, inner, open_room, alice)
    await _child(alice, inner, closed, alice)
    await bob.join(space, alice)

    async def tree() -> list[str]:
        answer = await bob.get(f"/_matrix/client/v1/rooms/{space}/hierarchy")
        return [room.get("name", "") for room in answer["rooms"]]

    await eventually(lambda: _is({"Everything", "Inner", "Open", "Of the guest"}, _set_of(tree())))


async def test_a_room_is_shown_before_it_is_joined(sides: Sides) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    room = await alice.create_room("12", name="Looked at", topic="From afar")
    path = f"/_matrix/client/v1/room_summary/{room}"
    try:
        found = await bob.get(path, via=alice.server_name)
    except Refused:
        found = await bob.get(f"/_matrix/client/unstable/im.nheko.summary/summary/{room}", via=alice.server_name)
    assert (found["name"], found["topic"], found["num_joined_members"]) == ("Looked at", "From afar", 1)


async def test_an_event_is_found_by_its_time_on_the_server_that_has_it(sides: Sides) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    room = await alice.create_room()
    for number in range(30):
        await alice.send(room, f"early {number}")
    await asyncio.sleep(0.05)
    wanted = await alice.send(room, "the one")
    moment = int(time.time() * 1000)
    await asyncio.sleep(0.05)
    for number in range(60):
        await alice.send(room, f"late {number}")
    await bob.join(room, alice)
    found = await bob.get(f"/_matrix/client/v1/rooms/{room}/timestamp_to_event", ts=moment, dir="b")
    assert found["event_id"] == wanted
    if sides.guest.server.kind == "myelin":
        around = await bob.get(f"rooms/{room}/context/{quote(wanted, safe='')}", limit=2)
        assert around["event"]["content"]["body"] == "the one"


async def test_an_upgraded_room_is_followed(sides: Sides) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    old = await alice.create_room("10", name="Upgraded")
    await bob.join(old, alice)
    await alice.member_becomes(old, bob, "join")
    new = (await alice.post(f"rooms/{old}/upgrade", {"new_version": "12"}))["replacement_room"]
    await bob.state_becomes(old, "m.room.tombstone", lambda content: content["replacement_room"] == new)
    await bob.join(new, alice)
    await alice.member_becomes(new, bob, "join")
    state = await agree(new, alice, bob)
    create = (await bob.current_state(new))["m.room.create", ""]
    assert create["content"]["predecessor"]["room_id"] == old
    assert ("m.room.name", "") in state


async def test_an_openid_token_is_exchanged_over_federation(sides: Sides) -> None:
    alice = await sides.host.user("alice")
    token = await alice.post(f"user/{alice.user_id}/openid/request_token", {})
    query = {"access_token": token["access_token"]}
    url = f"https://127.0.0.1:{sides.host.server.tls_port}/_matrix/federation/v1/openid/userinfo"
    async with alice._session.get(url, params=query, ssl=False) as response:
        assert await response.json() == {"sub": alice.user_id}


async def _upload(member: Member, content: bytes, content_type: str, name: str) -> tuple[str, str]:
    headers = {"Content-Type": content_type}
    status, data, _ = await member.raw("POST", "/_matrix/media/v3/upload", content, headers=headers, filename=name)
    assert status == 200, data
    server, _, media_id = data.decode().partition("mxc://")[2].rstrip('"}').partition("/")
    return server, media_id


async def _child(member: Member, space: str, child: str, of: Member) -> None:
    await member.set_state(space, "m.space.child", {"via": [of.server_name]}, child)


async def _is(wanted: set[str], coming: object) -> bool:
    found = await coming  # type: ignore[misc]
    return bool(found == wanted)


async def _set_of(coming: object) -> set[str]:
    return set(await coming)  # type: ignore[misc]


def _picture() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((400, 300)).save(file, "PNG")
    return file.getvalue()
