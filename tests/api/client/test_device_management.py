"""Devices over HTTP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inprocess import Client, TestServer, make_config, running_server
from myelin.services.accounts.last_seen import LastSeen
from myelin.services.devices.ports import DeviceRemovals

PASSWORD = {"type": "m.login.password", "password": "correct horse"}


async def confirmed(client: Client, method: str, path: str, body: dict[str, Any]) -> Any:
    """A request that needs the password."""
    begun = await client(method, path, body)
    assert begun.status == 401, begun.json
    auth = {**PASSWORD, "identifier": {"type": "m.id.user", "user": client.user_id}, "session": begun.json["session"]}
    return (await client(method, path, {**body, "auth": auth})).ok()


async def test_list_show_and_rename(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice", device_id="ONE")
    phone = await server_on_each.login("alice", device_id="TWO", initial_device_display_name="Phone")
    await phone.get("account/whoami")
    devices = (await alice.get("devices"))["devices"]
    assert [(d["device_id"], d.get("display_name")) for d in devices] == [("ONE", None), ("TWO", "Phone")]
    assert all(d["last_seen_ip"] == "127.0.0.1" and d["last_seen_ts"] > 0 for d in devices)
    assert await alice.put("devices/TWO", {"display_name": "Old phone"}) == {}
    assert (await alice.get("devices/TWO"))["display_name"] == "Old phone"
    await alice.put("devices/TWO", {})
    assert (await alice.get("devices/TWO"))["display_name"] == "Old phone"
    (await alice("GET", "devices/NONE")).error(404, "M_NOT_FOUND")
    (await alice("PUT", "devices/NONE", {"display_name": "x"})).error(404, "M_NOT_FOUND")
    (await alice("PUT", "devices/TWO", {"display_name": "n" * 101})).error(400, "M_INVALID_PARAM")
    (await alice("PUT", "devices/TWO", {"display_name": 5})).error(400, "M_BAD_JSON")
    (await alice("GET", "devices/a%00b")).error(400, "M_INVALID_PARAM")


async def test_delete_asks_for_the_password_and_ends_the_session(server_on_each: TestServer) -> None:
    removed: list[tuple[str, list[str]]] = []

    class Removal:
        async def removed(self, user_id: str, device_ids: Sequence[str]) -> None:
            removed.append((user_id, list(device_ids)))

    server_on_each.app.services[DeviceRemovals].append(Removal())
    alice = await server_on_each.register("alice", device_id="ONE")
    phone = await server_on_each.login("alice", device_id="TWO")
    await phone.get("account/whoami")
    assert await confirmed(alice, "DELETE", "devices/TWO", {}) == {}
    (await phone("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
    (await alice("GET", "devices/TWO")).error(404, "M_NOT_FOUND")
    assert removed == [("@alice:hs1", ["TWO"])]
    # Deleting what is gone is no error.
    assert await confirmed(alice, "DELETE", "devices/TWO", {}) == {}
    assert len(removed) == 1


async def test_delete_several(server: TestServer) -> None:
    alice = await server.register("alice", device_id="ONE")
    for device_id in ("TWO", "THREE", "FOUR"):
        await server.login("alice", device_id=device_id)
    assert await confirmed(alice, "POST", "delete_devices", {"devices": ["TWO", "THREE", "NONE"]}) == {}
    left = {d["device_id"] for d in (await alice.get("devices"))["devices"]}
    assert left == {"ONE", "FOUR"}


async def test_nobody_deletes_anothers_device(server: TestServer) -> None:
    await server.register("alice", device_id="SAME")
    bob = await server.register("bob")
    await confirmed(bob, "POST", "delete_devices", {"devices": ["SAME"]})
    alice = await server.login("alice")
    assert (await alice.get("devices/SAME"))["device_id"] == "SAME"


async def test_wrong_and_foreign_passwords_do_not_confirm(server: TestServer) -> None:
    alice = await server.register("alice", device_id="ONE")
    await server.register("bob", password="battery staple")
    body = {"devices": ["ONE"]}
    begun = await alice("POST", "delete_devices", body)
    session = begun.json["session"]
    bobs = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "bob"}, "session": session}
    refused = await alice(
        "POST", "delete_devices", {**body, "auth": {**PASSWORD, "password": "wrong", "session": session}}
    )
    refused.error(401, "M_FORBIDDEN")
    assert (refused.json["session"], refused.json["completed"]) == (session, [])
    for password in ("battery staple", "correct horse"):
        foreign = {**body, "auth": {**bobs, "password": password}}
        (await alice("POST", "delete_devices", foreign)).error(403, "M_FORBIDDEN")
    missing = {"type": "m.login.password", "session": session}
    (await alice("POST", "delete_devices", {**body, "auth": missing})).error(400, "M_MISSING_PARAM")
    other = {"devices": ["TWO"], "auth": {**PASSWORD, "session": session}}
    (await alice("POST", "delete_devices", other)).error(403, "M_FORBIDDEN")
    await alice.get("devices/ONE")


async def test_the_first_body_counts_where_the_last_leaves_it_out(server: TestServer) -> None:
    alice = await server.register("alice", device_id="ONE")
    await server.login("alice", device_id="TWO")
    begun = await alice("POST", "delete_devices", {"devices": ["TWO"]})
    await alice.post("delete_devices", {"auth": {**PASSWORD, "session": begun.json["session"]}})
    (await alice("GET", "devices/TWO")).error(404, "M_NOT_FOUND")


async def test_last_seen_is_written_in_bulk_and_survives_a_restart(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    async with running_server(config) as server:
        alice = await server.register("alice", device_id="ONE")
        last_seen: LastSeen = server.app.services[LastSeen]
        for _ in range(3):
            await alice.get("account/whoami")
        noted = last_seen.noted("@alice:hs1", "ONE")
        assert noted is not None
        await last_seen.flush()
        assert last_seen.noted("@alice:hs1", "ONE") is None
        await alice.get("account/whoami")
        assert last_seen.noted("@alice:hs1", "ONE") is not None
    async with running_server(config) as server:
        again = Client(server.session, server.base, alice.token)
        database = server.app.ground.database
        row = database.writer.execute("SELECT last_seen_ts, last_seen_ip FROM devices").fetchone()  # type: ignore[attr-defined]
        assert row[0] >= noted.ts
        assert row[1] == "127.0.0.1"
        await again.get("account/whoami")
