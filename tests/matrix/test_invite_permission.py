"""Whose invites a user wants, by the steps of MSC4155."""

from typing import Any

import pytest

from myelin.matrix.invite_permission import InvitePermission, Verdict, judge_invite

ALLOW, IGNORE, BLOCK = Verdict.ALLOW, Verdict.IGNORE, Verdict.BLOCK


@pytest.mark.parametrize(
    ("content", "inviter", "verdict"),
    [
        ({}, "@a:good.org", ALLOW),
        (None, "@a:good.org", ALLOW),
        ([], "@a:good.org", ALLOW),
        ({"default_action": "block"}, "@a:good.org", BLOCK),
        ({"default_action": "block", "enabled": False}, "@a:good.org", BLOCK),
        ({"default_action": "other"}, "@a:good.org", ALLOW),
        ({"blocked_servers": ["*"]}, "@a:good.org", BLOCK),
        ({"enabled": False, "blocked_servers": ["*"]}, "@a:good.org", ALLOW),
        ({"allowed_servers": ["good.org"], "blocked_servers": ["*"]}, "@a:good.org", ALLOW),
        ({"allowed_servers": ["good.org"], "blocked_servers": ["*"]}, "@a:good.org:8448", ALLOW),
        ({"allowed_servers": ["good.org"], "blocked_servers": ["*"]}, "@a:better.org", BLOCK),
        ({"blocked_users": ["@no*:good.org"], "allowed_servers": ["good.org"]}, "@nobody:good.org", BLOCK),
        ({"blocked_users": ["@no?:good.org"]}, "@nobody:good.org", ALLOW),
        ({"allowed_users": ["@ok:bad.org"], "blocked_servers": ["bad.org"]}, "@ok:bad.org", ALLOW),
        ({"ignored_users": ["@x:a"], "blocked_users": ["@x:a"]}, "@x:a", IGNORE),
        ({"allowed_users": ["@x:a"], "ignored_users": ["@x:a"]}, "@x:a", ALLOW),
        ({"ignored_servers": ["really*.org"], "blocked_servers": ["*"]}, "@a:reallybad.org", IGNORE),
        ({"blocked_servers": "*"}, "@a:b", ALLOW),
        ({"blocked_servers": ["*", 7]}, "@a:b", ALLOW),
        ({"blocked_servers": ["*"], "allowed_users": None}, "@a:b", ALLOW),
    ],
)
def test_the_first_list_that_has_the_inviter_decides(content: Any, inviter: str, verdict: Verdict) -> None:
    assert InvitePermission(content).judge(inviter) is verdict


def test_the_stricter_of_two_holds() -> None:
    ignore, block = {"ignored_servers": ["*"]}, {"blocked_servers": ["*"]}
    assert judge_invite("@a:b", {"x": ignore, "y": block}) is BLOCK
    assert judge_invite("@a:b", {"x": {}, "y": ignore}) is IGNORE
    assert judge_invite("@a:b", {}) is ALLOW
