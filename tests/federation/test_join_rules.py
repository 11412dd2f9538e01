"""The ways into a room that is not open to all, from another server."""

import pytest

from federation.conftest import Sides
from federation.member import Refused, agree

pytestmark = [pytest.mark.peers]


@pytest.mark.parametrize("version", ["9", "11", "12"])
async def test_a_knock_is_let_in(sides: Sides, version: str) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    room = await alice.create_room(version, initial_state=[_rule("knock")], name="Knock first")
    assert await bob.knock(room, alice) == room
    await alice.member_becomes(room, bob, "knock")
    stripped = await bob.until(lambda: bob.knocks.get(room))
    assert "Knock first" in {event["content"].get("name") for event in stripped}
    await alice.invite(room, bob)
    await bob.until(lambda: room in bob.invites)
    await bob.join(room, alice)
    await alice.member_becomes(room, bob, "join")
    await agree(room, alice, bob)


@pytest.mark.parametrize("version", ["9", "12"])
async def test_a_knock_is_taken_back_or_refused(sides: Sides, version: str) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    room = await alice.create_room(version, initial_state=[_rule("knock")])
    if sides.guest.server.kind == "myelin":  # Synapse keeps it to itself that a knock is taken back
        await bob.knock(room, alice)
        await alice.member_becomes(room, bob, "knock")
        await bob.leave(room)
        await alice.member_becomes(room, bob, "leave")
    await bob.knock(room, alice)
    await alice.member_becomes(room, bob, "knock")
    await bob.until(lambda: room in bob.knocks)
    if "synapse" in (sides.host.server.kind, sides.guest.server.kind):
        return  # it neither tells the server of who knocked of the refusal, nor listens to one
    await alice.kick(room, bob, "no")
    await bob.until(lambda: room in bob.left)


@pytest.mark.parametrize("version", ["9", "10", "12"])
async def test_members_of_a_space_may_come_in_and_others_not(sides: Sides, version: str) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    space = await alice.create_room(version, creation_content={"type": "m.space"})
    room = await alice.create_room(version, preset="private_chat", initial_state=[_rule("restricted", space)])
    with pytest.raises(Refused) as stranger:
        await bob.join(room, alice)
    assert stranger.value.status == 403
    await bob.join(space, alice)
    await bob.join(room, alice)
    await alice.member_becomes(room, bob, "join")
    await alice.receives(room, await bob.send(room, "of the space"))
    await agree(room, alice, bob)


async def test_under_knock_restricted_both_ways_are_open(sides: Sides) -> None:
    alice = await sides.host.user("alice")
    bob, carol = await sides.guest.user("bob"), await sides.guest.user("carol")
    space = await alice.create_room("12", creation_content={"type": "m.space"})
    room = await alice.create_room("12", initial_state=[_rule("knock_restricted", space)])
    await carol.knock(room, alice)
    await alice.member_becomes(room, carol, "knock")
    await bob.join(space, alice)
    await bob.join(room, alice)
    await alice.member_becomes(room, bob, "join")
    await agree(room, alice, bob)


def _rule(rule: str, *spaces: str) -> dict[str, object]:
    allow = [{"type": "m.room_membership", "room_id": space} for space in spaces]
    content = {"join_rule": rule, **({"allow": allow} if spaces else {})}
    return {"type": "m.room.join_rules", "state_key": "", "content": content}
