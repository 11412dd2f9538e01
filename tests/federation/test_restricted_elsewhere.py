"""Who is let into a restricted room by another server of it, though one's own server is there too."""

from typing import Any

import pytest

from federation.conftest import Sides
from federation.member import Refused, agree

pytestmark = [pytest.mark.peers]


def restricted(space: str) -> dict[str, Any]:
    """A join rule as initial state."""
    allow = [{"type": "m.room_membership", "room_id": space}]
    return {
        "type": "m.room.join_rules",
        "state_key": "",
        "content": {"join_rule": "restricted", "allow": allow},
    }


@pytest.mark.parametrize("version", ["9", "12"])
async def test_nobody_of_ours_has_the_power_to_invite(sides: Sides, version: str) -> None:
    alice = await sides.host.user("alice")
    bob, carol = await sides.guest.user("bob"), await sides.guest.user("carol")
    space = await alice.create_room(version, creation_content={"type": "m.space"})
    room = await alice.create_room(
        version, initial_state=[restricted(space)], power_level_content_override={"invite": 50}
    )
    await bob.join(space, alice)
    await bob.join(room, alice)
    await alice.member_becomes(room, bob, "join")
    with pytest.raises(Refused):
        await carol.join(room, alice)
    await carol.join(space, alice)
    await alice.member_becomes(space, carol, "join")
    await carol.join(room, alice)
    await alice.member_becomes(room, carol, "join")
    await alice.receives(room, await carol.send(room, "let in"))
    await agree(room, alice, bob, carol)


@pytest.mark.parametrize("version", ["9", "12"])
async def test_our_server_is_not_in_the_room_that_counts(sides: Sides, version: str) -> None:
    """The space is on the host alone: only the host can see that a user is in it."""
    alice, dora = await sides.host.user("alice"), await sides.host.user("dora")
    bob = await sides.guest.user("bob")
    space = await alice.create_room(version, preset="private_chat", creation_content={"type": "m.space"})
    room = await alice.create_room(
        version, initial_state=[restricted(space)], power_level_content_override={"invite": 50}
    )
    await alice.invite(room, bob)
    await bob.until(lambda: room in bob.invites)
    await bob.join(room, alice)
    await alice.invite(space, dora)
    await dora.until(lambda: space in dora.invites)
    await dora.join(space)
    await dora.join(room)
    await bob.member_becomes(room, dora, "join")
    await agree(room, alice, bob, dora)
