"""Pushers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inprocess import TestServer, make_config, running_server
from myelin.config.sections.messaging import Push
from push_gateway import PATH, pusher

URL = f"https://push.example.org{PATH}"


@pytest.fixture
async def few(tmp_path: Path) -> AsyncIterator[TestServer]:
    """A server where a user may have two pushers."""
    async with running_server(make_config(tmp_path, push=Push(max_pushers_per_user=2))) as server:
        yield server


async def test_pushers_are_set_shown_changed_and_deleted(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    assert await alice.get("pushers") == {"pushers": []}
    wanted = pusher(URL, profile_tag="tag", data={"format": "event_id_only", "custom": [1]})
    assert await alice.post("pushers/set", wanted) == {}
    assert await alice.get("pushers") == {"pushers": [wanted]}
    changed = pusher(URL, lang="de")
    await alice.post("pushers/set", changed)
    other = pusher(URL, "other")
    await alice.post("pushers/set", other)
    assert await alice.get("pushers") == {"pushers": [changed, other]}
    await alice.post("pushers/set", {"kind": None, "app_id": changed["app_id"], "pushkey": "key"})
    assert await alice.get("pushers") == {"pushers": [other]}
    await alice.post("pushers/set", {"kind": None, "app_id": "unknown", "pushkey": "unknown"})


async def test_a_key_belongs_to_the_last_user_unless_appended(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    await alice.post("pushers/set", pusher(URL))
    await bob.post("pushers/set", pusher(URL, append=True))
    assert len((await alice.get("pushers"))["pushers"]) == 1
    await bob.post("pushers/set", pusher(URL))
    assert await alice.get("pushers") == {"pushers": []}
    assert len((await bob.get("pushers"))["pushers"]) == 1


async def test_a_pusher_ends_with_the_session_that_set_it(server_on_each: TestServer) -> None:
    phone = await server_on_each.register("alice")
    laptop = await server_on_each.login("alice")
    await phone.post("pushers/set", pusher(URL, "phone"))
    await laptop.post("pushers/set", pusher(URL, "laptop"))
    await laptop.post("logout")
    assert [p["pushkey"] for p in (await phone.get("pushers"))["pushers"]] == ["phone"]
    await phone.post("logout/all")
    again = await server_on_each.login("alice")
    assert await again.get("pushers") == {"pushers": []}


async def test_there_is_a_limit_to_pushers(few: TestServer) -> None:
    alice = await few.register("alice")
    for key in ("a", "b", "a"):
        await alice.post("pushers/set", pusher(URL, key))
    (await alice("POST", "pushers/set", pusher(URL, "c"))).error(400, "M_INVALID_PARAM")
    await alice.post("pushers/set", {"kind": None, "app_id": "org.example.app", "pushkey": "a"})
    await alice.post("pushers/set", pusher(URL, "c"))


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"kind": "email"}, "M_INVALID_PARAM"),
        ({"kind": "pigeon"}, "M_INVALID_PARAM"),
        ({"kind": 1}, "M_BAD_JSON"),
        ({"app_id": ""}, "M_INVALID_PARAM"),
        ({"app_id": "a" * 65}, "M_INVALID_PARAM"),
        ({"pushkey": "é" * 257}, "M_INVALID_PARAM"),
        ({"pushkey": "\0"}, "M_INVALID_PARAM"),
        ({"lang": "x" * 513}, "M_INVALID_PARAM"),
        ({"app_display_name": "a\0"}, "M_INVALID_PARAM"),
        ({"lang": None}, "M_MISSING_PARAM"),
        ({"data": None}, "M_MISSING_PARAM"),
        ({"data": {}}, "M_MISSING_PARAM"),
        ({"data": {"url": 1}}, "M_INVALID_PARAM"),
        ({"data": {"url": f"http://push.example.org{PATH}"}}, "M_INVALID_PARAM"),
        ({"data": {"url": "https://push.example.org/other"}}, "M_INVALID_PARAM"),
        ({"data": {"url": f"https://push.example.org{PATH}/more"}}, "M_INVALID_PARAM"),
        ({"data": {"url": f"https://{PATH}"}}, "M_INVALID_PARAM"),
        ({"data": {"url": f"https://user:secret@push.example.org{PATH}"}}, "M_INVALID_PARAM"),
        ({"data": {"url": f"https://push.example.org:99999{PATH}"}}, "M_INVALID_PARAM"),
        ({"data": {"url": f"https://[::1{PATH}"}}, "M_INVALID_PARAM"),
        ({"data": {"url": URL, "more": "x" * 8192}}, "M_INVALID_PARAM"),
    ],
)
async def test_what_cannot_be_a_pusher_is_refused(server: TestServer, change: dict[str, Any], errcode: str) -> None:
    alice = await server.register("alice")
    (await alice("POST", "pushers/set", {**pusher(URL), **change})).error(400, errcode)
    assert await alice.get("pushers") == {"pushers": []}


@pytest.mark.parametrize("missing", ["kind", "app_id", "pushkey"])
async def test_a_pusher_needs_a_kind_and_a_key(server: TestServer, missing: str) -> None:
    alice = await server.register("alice")
    wanted = {name: value for name, value in pusher(URL).items() if name != missing}
    (await alice("POST", "pushers/set", wanted)).error(400, "M_MISSING_PARAM")


async def test_what_is_just_allowed_is_taken(server: TestServer) -> None:
    alice = await server.register("alice")
    await alice.post("pushers/set", pusher(URL, "é" * 256, app_id="a" * 64, lang="x" * 512))
    assert len((await alice.get("pushers"))["pushers"]) == 1
