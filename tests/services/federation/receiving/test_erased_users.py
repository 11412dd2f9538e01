"""What an erased user wrote goes redacted to servers that come in later, and whole to those that had it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from federated import Federated, federated
from myelin.matrix.events.hashes import event_id_of
from myelin.matrix.room_versions import V11
from myelin.services.federation.handshakes.join_answers import JoinAnswers
from myelin.services.federation.receiving.peer_reading import PeerReading
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.graph.room_graph import RoomGraph

SECRET = "nobody's business"
LATER = "@dave:peer2"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Federated]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with federated(tmp_path, url) as made:
        yield made


async def erased(scene: Federated) -> tuple[str, str]:
    """A user of ours speaks in the room and is erased; the event IDs of the message and of one after it."""
    mallory = await scene.server.register("mallory")
    await mallory.put(f"profile/{mallory.user_id}/displayname", {"displayname": SECRET})
    await mallory.post(f"join/{scene.room_id}")
    said = await mallory.send(scene.room_id, SECRET)
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "mallory"}}
    await mallory.post("account/deactivate", {"erase": True, "auth": {**auth, "password": "correct horse"}})
    await scene.move(LATER)
    return said, await scene.alice.send(scene.room_id, "afterwards")


def of_mallory(raws: list[Any]) -> list[Any]:
    return [raw for raw in raws if raw["sender"].startswith("@mallory")]


async def test_later_servers_are_given_what_is_left_after_redaction(scene: Federated) -> None:
    said, after = await erased(scene)
    reading: PeerReading = scene.services[PeerReading]
    for server, is_whole in (("peer1", True), ("peer2", False)):
        back = (await reading.backfill(server, scene.room_id, [after], 100))["pdus"]
        between = (await reading.missing_events(server, scene.room_id, [], [after], 100, 0))["events"]
        alone = (await reading.event(server, said))["pdus"]
        for pdus in (back, between, alone):
            (message,) = [raw for raw in of_mallory(pdus) if raw["type"] == "m.room.message"]
            assert event_id_of(message, V11) == said
            assert message["content"] == ({"msgtype": "m.text", "body": SECRET} if is_whole else {})
        assert (SECRET in str(back)) is is_whole
    assert all(raw["content"] for raw in back if raw["sender"] == scene.alice.user_id)


async def test_later_servers_are_given_no_profile_of_theirs_in_the_state(scene: Federated) -> None:
    said, _ = await erased(scene)
    reading: PeerReading = scene.services[PeerReading]
    for server, is_whole in (("peer1", True), ("peer2", False)):
        answers = [
            await reading.state(server, scene.room_id, said),
            await reading.event_auth(server, scene.room_id, said),
        ]
        for answer in answers:
            assert (SECRET in str(answer)) is is_whole
            (join, *_) = of_mallory([*answer.get("pdus", []), *answer["auth_chain"]])
            assert join["content"]["membership"] == "join"


async def test_who_joins_is_given_no_profile_of_theirs(scene: Federated) -> None:
    await erased(scene)
    room = await scene.services[Rooms].get(scene.room_id)
    join = (await scene.services[RoomGraph].events.get([room.state["m.room.member", LATER]], room.version)).popitem()[1]
    answer = await scene.services[JoinAnswers].answer(room, join, omit_members=False)
    told = orjson.dumps([answer["state"], answer["auth_chain"]])
    assert b"@mallory" in told
    assert SECRET.encode() not in told
