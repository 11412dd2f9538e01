"""A room that two servers share, in every room version that is in use and in both directions."""

import pytest

from federation.conftest import Sides
from federation.member import Member, Refused, agree, eventually

pytestmark = [pytest.mark.peers, pytest.mark.parametrize("version", ["1", "6", "9", "10", "11", "12"])]


async def test_users_of_both_servers_talk_and_hold_the_same_room(sides: Sides, version: str) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    room = await alice.create_room(version, name="Two servers")
    before = await alice.send(room, "before bob came")
    assert await bob.join(room, alice) == room
    await alice.member_becomes(room, bob, "join")

    await bob.receives(room, await alice.send(room, "from the host"))
    await alice.receives(room, await bob.send(room, "from the guest"))
    assert before in {event["event_id"] for event in await bob.messages(room)}

    await _give_power(alice, room, bob, 50)
    await bob.state_becomes(room, "m.room.power_levels", lambda levels: levels["users"].get(bob.user_id) == 50)
    await bob.set_state(room, "m.room.topic", {"topic": "of the guest"})
    await alice.state_becomes(room, "m.room.topic", lambda topic: topic["topic"] == "of the guest")
    await alice.set_state(room, "m.room.name", {"name": "of the host"})
    await bob.state_becomes(room, "m.room.name", lambda name: name["name"] == "of the host")
    await agree(room, alice, bob)


async def test_redactions_hide_on_both_servers(sides: Sides, version: str) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    room = await alice.create_room(version)
    await bob.join(room, alice)
    by_alice, by_bob = await alice.send(room, "regretted"), await bob.send(room, "moderated")
    await bob.receives(room, by_alice)
    await alice.receives(room, by_bob)

    await alice.receives(room, await _redact_own(bob, room))
    for redaction in (await alice.redact(room, by_alice), await alice.redact(room, by_bob)):
        await bob.receives(room, redaction)
    for member in (alice, bob):
        for event_id in (by_alice, by_bob):
            assert (await member.event(room, event_id))["content"] == {}


async def test_leaving_and_coming_back(sides: Sides, version: str) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    room = await alice.create_room(version)
    await bob.join(room, alice)
    await alice.member_becomes(room, bob, "join")
    await bob.is_joined(room)
    await bob.leave(room)
    await alice.member_becomes(room, bob, "leave")
    await bob.until(lambda: room in bob.left)
    missed = await alice.send(room, "while bob is away")
    await alice.set_state(room, "m.room.topic", {"topic": "changed meanwhile"})

    await bob.join(room, alice)
    await alice.member_becomes(room, bob, "join")
    await bob.state_becomes(room, "m.room.topic", lambda topic: topic["topic"] == "changed meanwhile")
    await bob.receives(room, await alice.send(room, "welcome back"))
    await alice.receives(room, await bob.send(room, "thanks"))
    assert missed in {event["event_id"] for event in await bob.messages(room)}
    await agree(room, alice, bob)


async def test_invites_are_accepted_rejected_and_taken_back(sides: Sides, version: str) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    room = await alice.create_room(version, preset="private_chat", name="By invitation")
    await alice.invite(room, bob)
    stripped = await bob.until(lambda: bob.invites.get(room))
    assert "By invitation" in {event["content"].get("name") for event in stripped}
    await bob.leave(room)
    await alice.member_becomes(room, bob, "leave")

    await alice.invite(room, bob)
    await bob.until(lambda: room in bob.invites)
    await alice.kick(room, bob)
    await bob.until(lambda: room not in bob.invites)

    await alice.invite(room, bob)
    await bob.until(lambda: room in bob.invites)
    await bob.join(room)
    await alice.member_becomes(room, bob, "join")
    await alice.receives(room, await bob.send(room, "here I am"))
    await agree(room, alice, bob)


async def test_the_guest_invites_a_second_user_of_the_host(sides: Sides, version: str) -> None:
    alice, bob, carol = await sides.host.user("alice"), await sides.guest.user("bob"), await sides.host.user("carol")
    room = await alice.create_room(version, preset="private_chat", invite=[bob.user_id])
    await bob.until(lambda: room in bob.invites)
    await bob.join(room)
    await bob.invite(room, carol)
    await carol.until(lambda: room in carol.invites)
    await carol.join(room)
    await bob.member_becomes(room, carol, "join")
    await carol.receives(room, await bob.send(room, "all three"))


async def test_kicks_and_bans_reach_the_other_server(sides: Sides, version: str) -> None:
    alice, bob = await sides.host.user("alice"), await sides.guest.user("bob")
    room = await alice.create_room(version)
    await bob.join(room, alice)
    await alice.member_becomes(room, bob, "join")
    await bob.is_joined(room)

    await alice.kick(room, bob, "not now")
    await bob.until(lambda: room in bob.left)
    with pytest.raises(Refused) as kicked:
        await bob.send(room, "still here?")
    assert kicked.value.status == 403
    await bob.join(room, alice)
    await alice.member_becomes(room, bob, "join")
    await bob.is_joined(room)

    await alice.ban(room, bob)
    await bob.until(lambda: room in bob.left)
    with pytest.raises(Refused) as banned:
        await bob.join(room, alice)
    assert banned.value.status == 403
    await alice.unban(room, bob)
    await eventually(lambda: bob.join(room, alice))
    await alice.member_becomes(room, bob, "join")
    await agree(room, alice, bob)


async def _give_power(giver: Member, room: str, to: Member, level: int) -> None:
    levels = (await giver.current_state(room))["m.room.power_levels", ""]["content"]
    levels["users"][to.user_id] = level
    await giver.set_state(room, "m.room.power_levels", levels)


async def _redact_own(member: Member, room: str) -> str:
    return await member.redact(room, await member.send(room, "own mistake"))
