"""A server asks what it should not be told. The names of the tests are the classes of `SECURITY.md`."""

import aiohttp
import pytest

from federation.conftest import Side
from federation.member import Member
from federation.resident import Resident
from federation.servers import MyelinServer

pytestmark = [pytest.mark.peers]


@pytest.fixture
async def alice(myelin_server: MyelinServer, session: aiohttp.ClientSession) -> Member:
    """A user of the server that is asked."""
    return await Side(myelin_server, session).user("alice")


async def test_reading_across_rooms_by_time(alice: Member, myelin_server: MyelinServer, resident: Resident) -> None:
    """Neither a room that the asker is not in, nor one that is not there; both look the same."""
    room = await alice.create_room(preset="public_chat")
    for room_id in (room, "!nothing:localhost"):
        answer = await resident.request(myelin_server, "GET", f"v1/timestamp_to_event/{room_id}", ts="0", dir="f")
        assert (answer.status, answer.errcode) == (403, "M_FORBIDDEN")


@pytest.mark.parametrize(
    "query", [{}, {"ts": "x", "dir": "f"}, {"ts": "1", "dir": "sideways"}, {"ts": "-1", "dir": "b"}]
)
async def test_nonsense_moments(myelin_server: MyelinServer, resident: Resident, query: dict[str, str]) -> None:
    answer = await resident.request(myelin_server, "GET", "v1/timestamp_to_event/!a:b", **query)
    assert answer.status == 400


async def test_closed_rooms_are_told_to_nobody_outside(
    alice: Member, myelin_server: MyelinServer, resident: Resident
) -> None:
    closed = await alice.create_room(preset="private_chat")
    space = await alice.create_room(creation_content={"type": "m.space"})
    await alice.set_state(space, "m.space.child", {"via": [alice.server_name]}, closed)
    answer = await resident.request(myelin_server, "GET", f"v1/hierarchy/{closed}")
    assert (answer.status, answer.errcode) == (404, "M_NOT_FOUND")
    told = (await resident.request(myelin_server, "GET", f"v1/hierarchy/{space}")).json
    assert (told["children"], told["inaccessible_children"]) == ([], [closed])


async def test_rooms_whose_acl_keeps_a_server_out_are_not_told_to_it(
    alice: Member, myelin_server: MyelinServer, resident: Resident
) -> None:
    room = await alice.create_room(visibility="public")
    assert (await resident.request(myelin_server, "GET", f"v1/hierarchy/{room}")).status == 200
    await alice.set_state(room, "m.room.server_acl", {"allow": ["*"], "deny": ["127.0.0.1"]})
    assert (await resident.request(myelin_server, "GET", f"v1/hierarchy/{room}")).status == 404


@pytest.mark.parametrize("user_id", ["@someone:elsewhere", "nonsense", "@a:", ""])
async def test_profiles_of_others_are_not_asked_for_on_behalf_of_servers(
    myelin_server: MyelinServer, resident: Resident, user_id: str
) -> None:
    answer = await resident.request(myelin_server, "GET", "v1/query/profile", user_id=user_id)
    assert answer.status == 400


@pytest.mark.parametrize("alias", ["%23a:elsewhere", "nonsense", "%23a", ""])
async def test_aliases_of_others_are_not_resolved_for_servers(
    myelin_server: MyelinServer, resident: Resident, alias: str
) -> None:
    answer = await resident.request(myelin_server, "GET", f"v1/query/directory?room_alias={alias}")
    assert answer.status == 400


async def test_media_of_others_are_not_served_to_servers(
    alice: Member, myelin_server: MyelinServer, resident: Resident
) -> None:
    """A copy of another server's file is that server's to give."""
    resident.answer("federation/v1/media/download", {"a": "file"})
    copied = f"/_matrix/client/v1/media/download/{resident.server_name}/copied"
    assert (await alice.raw("GET", copied))[0] == 200
    assert (await resident.request(myelin_server, "GET", "v1/media/download/copied")).status == 404
    for media_id in ("../../etc/passwd", "%2e%2e", "a%00b", "nothing"):
        assert (await resident.request(myelin_server, "GET", f"v1/media/download/{media_id}")).status in (400, 404)


@pytest.mark.parametrize(
    "path",
    [
        "v1/publicRooms",
        "v1/query/profile?user_id=@a:b",
        "v1/query/directory?room_alias=%23a:b",
        "v1/query/anything",
        "v1/hierarchy/!a:b",
        "v1/media/download/abc",
        "v1/media/thumbnail/abc?width=1&height=1",
        "v1/timestamp_to_event/!a:b?ts=1&dir=f",
    ],
)
async def test_forgery_of_the_asking_server(myelin_server: MyelinServer, resident: Resident, path: str) -> None:
    """Who signs with a key that is not the named server's is told nothing."""
    async with Resident.of_same_authority(resident) as other:
        answer = await resident.request(myelin_server, "GET", path, sign_as=other.server_name)
    assert answer.status == 401


async def test_unknown_questions_are_not_recognised(myelin_server: MyelinServer, resident: Resident) -> None:
    answer = await resident.request(myelin_server, "GET", "v1/query/anything")
    assert (answer.status, answer.errcode) == (404, "M_UNRECOGNIZED")


@pytest.mark.parametrize("body", [{"limit": -1}, {"since": "forged"}, {"filter": {"room_types": "x"}}, {"limit": "x"}])
async def test_nonsense_lists(myelin_server: MyelinServer, resident: Resident, body: dict[str, object]) -> None:
    answer = await resident.request(myelin_server, "POST", "v1/publicRooms", body)
    assert answer.status == 400
