"""Reports over HTTP."""

import asyncio

from inprocess import TestServer
from myelin.db.sql import Sql


async def reports(server: TestServer) -> list[tuple[object, ...]]:
    sql = Sql("SELECT kind, reporter, room_id, event_id, user_id, reason FROM reports ORDER BY report_id")
    return [tuple(row) for row in await server.app.ground.database.fetch(sql, ())]


async def test_events_rooms_and_users_are_reported(server_on_each: TestServer) -> None:
    server = server_on_each
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await alice.create_room()
    event_id = await alice.send(room_id, "rude")
    await alice.post(f"rooms/{room_id}/report/{event_id}", {"reason": "rude", "score": -100})
    await alice.post(f"rooms/{room_id}/report/{event_id}")
    await bob.post(f"rooms/{room_id}/report", {"reason": ""})
    await bob.post(f"users/{alice.user_id}/report", {"reason": "x"})
    await bob.post("users/@far:elsewhere/report", {"reason": "y"})
    assert await reports(server) == [
        ("event", alice.user_id, room_id, event_id, None, "rude"),
        ("event", alice.user_id, room_id, event_id, None, ""),
        ("room", bob.user_id, room_id, None, None, ""),
        ("user", bob.user_id, None, None, alice.user_id, "x"),
        ("user", bob.user_id, None, None, "@far:elsewhere", "y"),
    ]


async def test_reports_of_what_is_not_there(server_on_each: TestServer) -> None:
    """Class "reading across rooms by event ID": who is not in the room does not learn whether an event exists."""
    server = server_on_each
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id, other = await alice.create_room(), await bob.create_room()
    event_id = await alice.send(room_id, "rude")
    for path in (
        f"rooms/{room_id}/report/{event_id}",
        f"rooms/{other}/report/{event_id}",
        f"rooms/{room_id}/report/$none",
        f"rooms/{other}/report/none",
        "rooms/!none:hs1/report",
        "users/@nobody:hs1/report",
    ):
        (await bob("POST", path, {"reason": "x"})).error(404, "M_NOT_FOUND")
    (await bob("POST", "users/nobody/report", {"reason": "x"})).error(400, "M_INVALID_PARAM")
    (await bob("POST", f"rooms/{room_id}/report", {})).error(400, "M_MISSING_PARAM")
    (await bob("POST", f"rooms/{room_id}/report", {"reason": "x" * 8_193})).error(400, "M_INVALID_PARAM")
    (await bob("POST", f"rooms/{room_id}/report", {"reason": "\0"})).error(400, "M_INVALID_PARAM")
    await bob.post(f"rooms/{room_id}/report", {"reason": "x" * 8_192})
    assert len(await reports(server)) == 1


async def test_reports_at_the_same_time_are_all_kept(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    room_id = await alice.create_room()
    await asyncio.gather(*(alice.post(f"rooms/{room_id}/report", {"reason": str(n)}) for n in range(10)))
    assert {row[-1] for row in await reports(server_on_each)} == {str(n) for n in range(10)}
