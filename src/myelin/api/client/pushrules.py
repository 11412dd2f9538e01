"""Push rules (spec: pushrules.yaml)."""

from typing import Any

import msgspec
import orjson

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty, JsonBytes
from myelin.matrix.errors import InvalidParam, MissingParam, Unrecognized
from myelin.matrix.push_rules import render_rule
from myelin.services.userdata.push_rules import PushRules

endpoints = Endpoints(group="push_rules")

_ALL = "/_matrix/client/v3/pushrules/"
_RULE = f"{_ALL}global/{{kind}}/{{rule_id}}"


class PlaceQuery(msgspec.Struct, frozen=True):
    """Next to which rule a new one goes."""

    before: str | None = None
    after: str | None = None


class EnabledAnswer(msgspec.Struct, frozen=True):
    """Whether a rule is on."""

    enabled: bool


class ActionsAnswer(msgspec.Struct, frozen=True):
    """What a rule does."""

    actions: list[Any]


@endpoints.endpoint(f"GET {_ALL}")
async def get_push_rules(requester: Requester, rules: PushRules) -> JsonBytes:
    """Show all rulesets."""
    return JsonBytes(await rules.rendered(requester.user_id))


@endpoints.endpoint(f"GET {_ALL}global/")
async def get_push_rules_global(requester: Requester, rules: PushRules) -> JsonBytes:
    """Show all rules."""
    rendered = await rules.rendered(requester.user_id)
    return JsonBytes(rendered[len(b'{"global":') : -1])


@endpoints.endpoint(f"GET {_RULE}")
async def get_push_rule(requester: Requester, rules: PushRules, kind: str, rule_id: str) -> dict[str, Any]:
    """Show a rule."""
    return render_rule(await rules.rule(requester.user_id, kind, rule_id), requester.user_id)


@endpoints.endpoint(f"PUT {_RULE}", limit="general")
async def set_push_rule(
    requester: Requester, rules: PushRules, kind: str, rule_id: str, query: PlaceQuery, body: dict[str, Any]
) -> Empty:
    """Add or change a rule."""
    await rules.put(requester.user_id, kind, rule_id, body, before=query.before, after=query.after)
    return Empty()


@endpoints.endpoint(f"DELETE {_RULE}")
async def delete_push_rule(requester: Requester, rules: PushRules, kind: str, rule_id: str) -> Empty:
    """Remove a rule."""
    await rules.delete(requester.user_id, kind, rule_id)
    return Empty()


@endpoints.endpoint(f"GET {_RULE}/enabled")
async def is_push_rule_enabled(requester: Requester, rules: PushRules, kind: str, rule_id: str) -> EnabledAnswer:
    """Tell whether a rule is on."""
    return EnabledAnswer((await rules.rule(requester.user_id, kind, rule_id)).enabled)


@endpoints.endpoint(f"PUT {_RULE}/enabled")
async def set_push_rule_enabled(
    requester: Requester, rules: PushRules, kind: str, rule_id: str, body: dict[str, Any]
) -> Empty:
    """Switch a rule on or off."""
    if "enabled" not in body:
        raise MissingParam("enabled is missing")
    await rules.set_enabled(requester.user_id, kind, rule_id, body["enabled"])
    return Empty()


@endpoints.endpoint(f"GET {_RULE}/actions")
async def get_push_rule_actions(requester: Requester, rules: PushRules, kind: str, rule_id: str) -> ActionsAnswer:
    """Show what a rule does."""
    return ActionsAnswer((await rules.rule(requester.user_id, kind, rule_id)).actions)


@endpoints.endpoint(f"PUT {_RULE}/actions")
async def set_push_rule_actions(
    requester: Requester, rules: PushRules, kind: str, rule_id: str, body: dict[str, Any]
) -> Empty:
    """Change what a rule does."""
    if "actions" not in body:
        raise MissingParam("actions is missing")
    await rules.set_actions(requester.user_id, kind, rule_id, body["actions"])
    return Empty()


@endpoints.endpoint(f"GET {_ALL}global/{{kind}}/", also=(f"{_ALL}global/{{kind}}",))
async def get_push_rules_of_kind(requester: Requester, rules: PushRules, kind: str) -> list[Any]:
    """Show the rules of a kind, as clients of before v1.1 ask for them."""
    everything = orjson.loads(await rules.rendered(requester.user_id))["global"]
    if kind not in everything:
        raise InvalidParam(f"There is no kind of push rule called {kind!r}")
    of_kind: list[Any] = everything[kind]
    return of_kind


@endpoints.endpoint(f"GET {_RULE}/{{attribute}}")
async def get_push_rule_attribute(attribute: str, requester: Requester, kind: str, rule_id: str) -> Empty:  # noqa: ARG001  (the path's)
    """Refuse to show what rules do not have."""
    raise Unrecognized(f"A push rule has no attribute {attribute!r}", status=400)


@endpoints.endpoint(f"GET {_ALL}{{scope}}/", also=(f"{_ALL}{{scope}}",))
async def get_push_rules_of_scope(scope: str, requester: Requester) -> Empty:  # noqa: ARG001  (the path's)
    """Refuse rulesets that do not exist."""
    raise _no_scope(scope)


@endpoints.endpoint(f"GET {_ALL}{{scope}}/{{kind}}/{{rule_id}}")
async def get_push_rule_of_scope(scope: str, requester: Requester, kind: str, rule_id: str) -> Empty:  # noqa: ARG001  (the path's)
    """Refuse rules of rulesets that do not exist."""
    raise _no_scope(scope)


@endpoints.endpoint(f"PUT {_ALL}{{scope}}/{{kind}}/{{rule_id}}")
async def set_push_rule_of_scope(scope: str, requester: Requester, kind: str, rule_id: str) -> Empty:  # noqa: ARG001  (the path's)
    """Refuse rules for rulesets that do not exist."""
    raise _no_scope(scope)


def _no_scope(scope: str) -> InvalidParam:
    return InvalidParam(f"There is no push ruleset called {scope!r}")
