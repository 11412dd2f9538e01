"""Server ACLs let in whom the spec lets in, and cannot be made expensive."""

import time
from typing import Any

import pytest

from myelin.matrix.server_acl import MAX_REMEMBERED_VERDICTS, OPEN_TO_ALL, ServerAcl, compile_server_acl


def test_a_room_without_acl_lets_everyone_in() -> None:
    acl = compile_server_acl(None)
    assert acl is OPEN_TO_ALL
    assert acl.allows("evil.com")


@pytest.mark.parametrize(
    ("content", "server_name", "allowed"),
    [
        ({}, "example.com", False),
        ({"allow": ["*"]}, "example.com", True),
        ({"allow": ["*"], "deny": ["evil.com"]}, "evil.com", False),
        ({"allow": ["*"], "deny": ["evil.com"]}, "evil.com:8448", False),
        ({"allow": ["*"], "deny": ["evil.com"]}, "EVIL.com", False),
        ({"allow": ["*"], "deny": ["Evil.COM"]}, "evil.com", False),
        ({"allow": ["*"], "deny": ["evil.com"]}, "not-evil.com", True),
        ({"allow": ["*"], "deny": ["*.evil.com"]}, "a.b.evil.com", False),
        ({"allow": ["*"], "deny": ["*.evil.com"]}, "evil.com", True),
        ({"allow": ["*"], "deny": ["evil.c?m"]}, "evil.cam:1", False),
        ({"allow": ["*"], "deny": ["evil.com:8448"]}, "evil.com:8448", True),
        ({"allow": ["evil.com"], "deny": ["*"]}, "evil.com", False),
        ({"allow": ["good.com", "*.good.com"]}, "good.com", True),
        ({"allow": ["good.com", "*.good.com"]}, "a.good.com:443", True),
        ({"allow": ["good.com", "*.good.com"]}, "bad.com", False),
        ({"allow": ["goöd.com"]}, "good.com", False),
        ({"allow": ["*"], "deny": ["a" * 256 + "*"]}, "a.com", True),
    ],
)
def test_deny_wins_and_what_is_not_allowed_is_denied(content: dict[str, Any], server_name: str, allowed: bool) -> None:
    assert ServerAcl(content).allows(server_name) is allowed


@pytest.mark.parametrize(
    ("server_name", "allowed"),
    [
        ("1.2.3.4", False),
        ("1.2.3.4:8448", False),
        ("[::1]", False),
        ("[1234:5678::abcd]:5678", False),
        ("1.2.3.4.example.com", True),
        ("1.2.3", True),
    ],
)
def test_ip_literals_can_be_kept_out(server_name: str, allowed: bool) -> None:
    assert ServerAcl({"allow": ["*"], "allow_ip_literals": False}).allows(server_name) is allowed


@pytest.mark.parametrize("flag", [True, None, "false", 0, []])
def test_ip_literals_are_let_in_unless_the_flag_is_false(flag: Any) -> None:
    assert ServerAcl({"allow": ["*"], "allow_ip_literals": flag}).allows("1.2.3.4")


def test_an_ipv6_literal_is_matched_with_its_brackets() -> None:
    acl = ServerAcl({"allow": ["*"], "deny": ["[::1]", "[2001:db8:*]"]})
    assert not acl.allows("[::1]:8448")
    assert not acl.allows("[2001:DB8::7]")
    assert acl.allows("[::2]")


@pytest.mark.parametrize("allow", ["*", {"*": 1}, None, 5, [["*"], 3, None]])
def test_malformed_lists_allow_nobody(allow: Any) -> None:
    assert not ServerAcl({"allow": allow}).allows("example.com")


def test_entries_that_are_no_strings_are_passed_over() -> None:
    acl = ServerAcl({"allow": [1, None, "good.com"], "deny": [{}]})
    assert acl.allows("good.com")


@pytest.mark.parametrize("server_name", ["", "a" * 256, "evil.com:8448:1", "e vil.com", "::1", "[::1", "a..b"])
def test_what_is_no_server_name_is_denied(server_name: str) -> None:
    assert not ServerAcl({"allow": ["*"]}).allows(server_name)


def test_verdicts_are_remembered_up_to_a_limit() -> None:
    acl = ServerAcl({"allow": ["*"], "deny": ["s5.example"]})
    for number in range(MAX_REMEMBERED_VERDICTS * 2 + 1):
        assert acl.allows(f"s{number}.example") is (number != 5)
        assert len(acl._verdicts) <= MAX_REMEMBERED_VERDICTS
    for _ in range(2):
        assert not acl.allows("s5.example")


def test_an_acl_made_to_be_expensive_is_not() -> None:
    entries = [f"*{'a?' * 100}{number}*" for number in range(150)] + [f"*a{number}b*" for number in range(4000)]
    started = time.process_time()
    acl = ServerAcl({"allow": ["*"], "deny": entries})
    for length in range(150, 250):
        assert acl.allows("a" * length)
    assert time.process_time() - started < 2
