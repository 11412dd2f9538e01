"""Push rules."""

import asyncio
from typing import Any

import pytest

from inprocess import Client, TestServer
from myelin.matrix.push_rules import CompiledRules
from myelin.services.userdata.push_rules import PushRulesets

RULE: dict[str, Any] = {"pattern": "cake*lie", "actions": ["notify"]}
MENTION = "pushrules/global/override/.m.rule.is_user_mention"


async def order(client: Client, kind: str = "content") -> list[str]:
    rules = (await client.get("pushrules/global/"))[kind]
    return [rule["rule_id"] for rule in rules if not rule["default"]]


async def test_rules_are_added_shown_changed_and_removed(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    path = "pushrules/global/content/nocake"
    (await alice("GET", path)).error(404, "M_NOT_FOUND")
    assert await alice.put(path, RULE) == {}
    shown = {"rule_id": "nocake", "default": False, "enabled": True, "actions": ["notify"], "pattern": "cake*lie"}
    assert await alice.get(path) == shown
    assert (await alice.get("pushrules/"))["global"]["content"] == [shown]
    assert await alice.get("pushrules/global/") == (await alice.get("pushrules/"))["global"]
    await alice.put(f"{path}/enabled", {"enabled": False})
    assert await alice.get(f"{path}/enabled") == {"enabled": False}
    await alice.put(f"{path}/actions", {"actions": ["notify", {"set_tweak": "highlight"}]})
    assert await alice.get(f"{path}/actions") == {"actions": ["notify", {"set_tweak": "highlight"}]}
    await alice.put(path, RULE)
    assert await alice.get(path) == {**shown, "enabled": False}
    assert (await alice("DELETE", path)).ok() == {}
    (await alice("DELETE", path)).error(404, "M_NOT_FOUND")


async def test_a_place_in_the_order_can_be_asked_for(server: TestServer) -> None:
    alice = await server.register("alice")
    for name, query in (("a", {}), ("b", {}), ("c", {"after": "b"}), ("d", {"before": "a"}), ("a", {"before": "b"})):
        await alice("PUT", f"pushrules/global/content/{name}", RULE, **query)
    assert await order(alice) == ["a", "b", "c", "d"]
    answer = await alice("PUT", "pushrules/global/content/e", RULE, before="unknown")
    answer.error(400, "M_UNKNOWN")
    answer = await alice("PUT", "pushrules/global/content/e", RULE, after=".m.rule.master")
    answer.error(400, "M_UNKNOWN")


async def test_predefined_rules_can_be_changed_but_not_removed(server: TestServer) -> None:
    alice = await server.register("alice")
    shown = await alice.get(MENTION)
    assert shown["conditions"][0]["value"] == alice.user_id
    await alice.put(f"{MENTION}/enabled", {"enabled": False})
    await alice.put(f"{MENTION}/actions", {"actions": []})
    assert await alice.get(MENTION) == {**shown, "enabled": False, "actions": []}
    (await alice("DELETE", MENTION)).error(404, "M_NOT_FOUND")
    (await alice("PUT", MENTION, {"conditions": [], "actions": []})).error(400, "M_INVALID_PARAM")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "content/.dot", RULE),
        ("PUT", "content/back%5Cslash", RULE),
        ("PUT", "content/sla%2Fsh", RULE),
        ("PUT", "content/x", {"actions": []}),
        ("PUT", "content/x", {"pattern": "x"}),
        ("PUT", "content/x", {"pattern": 1, "actions": []}),
        ("PUT", "content/x", {"pattern": "x", "actions": "notify"}),
        ("PUT", "content/x", {"pattern": "x", "actions": ["explode"]}),
        ("PUT", "nokind/x", RULE),
        ("GET", "nokind/x", None),
        ("DELETE", "nokind/x", None),
        ("GET", "nokind/", None),
        ("GET", "content/x/nothing", None),
        ("PUT", "override/x", {"conditions": [{}], "actions": []}),
        ("PUT", "override/x", {"conditions": "x", "actions": []}),
        ("PUT", "override/.m.rule.master/enabled", {}),
        ("PUT", "override/.m.rule.master/enabled", {"enabled": 1}),
        ("PUT", "override/.m.rule.master/actions", {}),
        ("PUT", "override/.m.rule.master/actions", {"actions": [1]}),
    ],
)
async def test_malformed_requests_are_refused(server: TestServer, method: str, path: str, body: Any) -> None:
    alice = await server.register("alice")
    assert (await alice(method, f"pushrules/global/{path}", body)).status == 400
    assert await order(alice) == []


async def test_other_scopes_do_not_exist(server: TestServer) -> None:
    alice = await server.register("alice")
    for method, path in (("GET", "device/"), ("GET", "device/content/x"), ("PUT", "device/content/x")):
        (await alice(method, f"pushrules/{path}", RULE if method == "PUT" else None)).error(400, "M_INVALID_PARAM")


async def test_unknown_rules_are_not_found(server: TestServer) -> None:
    alice = await server.register("alice")
    for suffix, body in (("/enabled", {"enabled": True}), ("/actions", {"actions": []})):
        (await alice("GET", f"pushrules/global/content/x{suffix}")).error(404, "M_NOT_FOUND")
        (await alice("PUT", f"pushrules/global/content/x{suffix}", body)).error(404, "M_NOT_FOUND")


async def test_changes_reach_sync_and_the_counting_of_notifications(server_on_each: TestServer) -> None:
    alice, bob = await server_on_each.register("alice"), await server_on_each.register("bob")
    rulesets = server_on_each.app.services[PushRulesets]
    before = await rulesets.of_all([alice.user_id, bob.user_id])
    assert before[alice.user_id] is before[bob.user_id]
    since = (await alice.get("sync"))["next_batch"]
    await alice.put("pushrules/global/content/nocake", RULE)
    told = await alice.get("sync", since=since)
    (event,) = told["account_data"]["events"]
    assert event == {"type": "m.push_rules", "content": await alice.get("pushrules/")}
    after = rulesets.recall(alice.user_id)
    assert isinstance(after, CompiledRules)
    assert after is not before[alice.user_id]
    assert rulesets.recall(bob.user_id) is before[bob.user_id]
    fresh = PushRulesets(server_on_each.app.ground.database, server_on_each.app.ground.feed)
    assert (await fresh.of(bob.user_id)) is before[bob.user_id]
    assert (await fresh.of(alice.user_id)) is not before[bob.user_id]


async def test_changes_at_the_same_time_are_all_kept(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    paths = [f"pushrules/global/content/r{i}" for i in range(15)]
    await asyncio.gather(
        *(alice.put(path, RULE) for path in paths), alice.put(f"{MENTION}/enabled", {"enabled": False})
    )
    assert sorted(await order(alice)) == sorted(f"r{i}" for i in range(15))
    assert await alice.get(f"{MENTION}/enabled") == {"enabled": False}
