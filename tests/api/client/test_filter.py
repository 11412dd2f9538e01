"""Filters over HTTP."""

from pathlib import Path

from inprocess import TestServer, make_config, running_server
from myelin.config.sections.storage import Sync
from myelin.services.accounts.filters import FilterService

MINE = "user/@alice:hs1/filter"
LAZY = {"room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 5}}, "org.example": [1.5]}


async def test_a_filter_is_kept_as_it_was_given_and_once(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    filter_id = (await alice.post(MINE, LAZY))["filter_id"]
    assert not filter_id.startswith("{")
    assert await alice.get(f"{MINE}/{filter_id}") == LAZY
    assert (await alice.post(MINE, LAZY))["filter_id"] == filter_id
    assert (await alice.post(MINE, {}))["filter_id"] != filter_id
    filters: FilterService = server_on_each.app.services[FilterService]
    assert await filters.named("@alice:hs1", filter_id) is await filters.named("@alice:hs1", filter_id)


async def test_refusals(server: TestServer) -> None:
    alice = await server.register("alice")
    bob = await server.register("bob")
    filter_id = (await alice.post(MINE, LAZY))["filter_id"]
    (await bob("GET", f"{MINE}/{filter_id}")).error(403, "M_FORBIDDEN")
    (await bob("POST", MINE, LAZY)).error(403, "M_FORBIDDEN")
    (await bob("GET", f"user/@bob:hs1/filter/{filter_id}")).error(404, "M_NOT_FOUND")
    (await alice("GET", f"{MINE}/none")).error(404, "M_NOT_FOUND")
    (await alice("POST", MINE, {"room": 5})).error(400, "M_BAD_JSON")
    (await alice("POST", MINE, b"[]")).error(400, "M_BAD_JSON")
    (await alice("POST", MINE, {"org.example": "x" * 70_000})).error(413, "M_TOO_LARGE")


async def test_a_users_oldest_filters_make_room(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path, sync=Sync(max_filters_per_user=3))) as server:
        alice = await server.register("alice")
        ids = [(await alice.post(MINE, {"org.example": n}))["filter_id"] for n in range(5)]
        found = [(await alice("GET", f"{MINE}/{filter_id}")).status for filter_id in ids]
        assert found.count(200) == 3
        assert found[-1] == 200 or found.count(404) == 2
