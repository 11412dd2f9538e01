"""Profiles over HTTP."""

import json
from typing import Any

import pytest

from inprocess import TestServer
from myelin.services.accounts.ports import ProfileListeners, RemoteProfileSources

ME = "profile/@alice:hs1"


async def test_fields_are_set_read_and_removed(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    assert await alice.get(ME) == {}
    fields = {
        "displayname": "Alice 😀",
        "avatar_url": "mxc://hs1/abc",
        "m.tz": "Europe/Berlin",
        "org.example.job": {"title": ["engineer", 1, None]},
        "org.example.nothing": None,
    }
    for name, value in fields.items():
        assert await alice.put(f"{ME}/{name}", {name: value}) == {}
    assert await server_on_each.anonymous.get(ME) == fields
    for name, value in fields.items():
        assert await server_on_each.anonymous.get(f"{ME}/{name}") == {name: value}
    await alice.put(f"{ME}/displayname", {"displayname": "Alicia"})
    assert await alice.get(f"{ME}/displayname") == {"displayname": "Alicia"}
    for name in fields:
        assert (await alice("DELETE", f"{ME}/{name}")).ok() == {}
        assert (await alice("DELETE", f"{ME}/{name}")).ok() == {}
        (await alice("GET", f"{ME}/{name}")).error(404, "M_NOT_FOUND")
    assert await alice.get(ME) == {}


@pytest.mark.parametrize(
    ("name", "body", "status", "errcode"),
    [
        ("displayname", {}, 400, "M_MISSING_PARAM"),
        ("displayname", {"displayname": 5}, 400, "M_BAD_JSON"),
        ("displayname", {"displayname": None}, 400, "M_BAD_JSON"),
        ("displayname", {"displayname": "x" * 1025}, 400, "M_INVALID_PARAM"),
        ("avatar_url", {"avatar_url": "https://example.org/x.png"}, 400, "M_INVALID_PARAM"),
        ("nickname", {"nickname": "x"}, 400, "M_INVALID_PARAM"),
        ("Org.Example", {"Org.Example": "x"}, 400, "M_INVALID_PARAM"),
        ("a." + "b" * 254, {}, 400, "M_MISSING_PARAM"),
        ("a." + "b" * 254, {"a." + "b" * 254: 1}, 400, "M_KEY_TOO_LARGE"),
        ("org.example.x", b"[]", 400, "M_BAD_JSON"),
        ("org.example.x", b"{", 400, "M_NOT_JSON"),
    ],
)
async def test_refusals(server: TestServer, name: str, body: Any, status: int, errcode: str) -> None:
    alice = await server.register("alice")
    (await alice("PUT", f"{ME}/{name}", body)).error(status, errcode)


async def test_the_longest_key_and_the_largest_profile(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    key = "a." + "b" * 253
    await alice.put(f"{ME}/{key}", {key: "x"})
    await alice("DELETE", f"{ME}/{key}")
    room = 65_536 - len(json.dumps({"org.example.x": ""}, separators=(",", ":"))) - 1
    (await alice("PUT", f"{ME}/org.example.x", {"org.example.x": "x" * (room + 1)})).error(400, "M_PROFILE_TOO_LARGE")
    await alice.put(f"{ME}/org.example.x", {"org.example.x": "x" * room})
    (await alice("PUT", f"{ME}/displayname", {"displayname": ""})).error(400, "M_PROFILE_TOO_LARGE")
    await alice.put(f"{ME}/org.example.x", {"org.example.x": "x" * (room - 100)})
    await alice.put(f"{ME}/displayname", {"displayname": "Alice"})


async def test_only_ones_own_profile(server: TestServer) -> None:
    alice = await server.register("alice")
    await server.register("bob")
    name = "profile/@bob:hs1/displayname"
    (await alice("PUT", name, {"displayname": "x"})).error(403, "M_FORBIDDEN")
    (await alice("DELETE", name)).error(403, "M_FORBIDDEN")
    (await server.anonymous("PUT", name, {"displayname": "x"})).error(401, "M_MISSING_TOKEN")


async def test_users_that_are_none(server: TestServer) -> None:
    (await server.anonymous("GET", "profile/@nobody:hs1")).error(404, "M_NOT_FOUND")
    (await server.anonymous("GET", "profile/@nobody:hs1/displayname")).error(404, "M_NOT_FOUND")
    (await server.anonymous("GET", "profile/@nobody:elsewhere")).error(502, "M_UNKNOWN")
    (await server.anonymous("GET", "profile/nonsense")).error(400, "M_INVALID_PARAM")


async def test_other_servers_are_asked_for_their_users(server: TestServer) -> None:
    class Remote:
        async def profile(self, user_id: str, field: str | None) -> dict[str, str]:
            return {"displayname": f"{user_id} {field}"}

    server.app.services[RemoteProfileSources].insert(0, Remote())
    assert await server.anonymous.get("profile/@x:there") == {"displayname": "@x:there None"}
    assert await server.anonymous.get("profile/@x:there/displayname") == {"displayname": "@x:there displayname"}
    (await server.anonymous("GET", "profile/@x:there/avatar_url")).error(404, "M_NOT_FOUND")


async def test_rooms_hear_of_names_and_avatars_only(server: TestServer) -> None:
    heard: list[tuple[str, str, Any]] = []

    class Listener:
        async def profile_changed(self, user_id: str, field: str, value: Any) -> None:
            heard.append((user_id, field, value))

    server.app.services[ProfileListeners].append(Listener())
    alice = await server.register("alice")
    await alice.put(f"{ME}/displayname", {"displayname": "A"})
    await alice.put(f"{ME}/m.tz", {"m.tz": "UTC"})
    await alice("DELETE", f"{ME}/displayname")
    await alice("DELETE", f"{ME}/avatar_url")
    assert heard == [("@alice:hs1", "displayname", "A"), ("@alice:hs1", "displayname", None)]
