"""Registrations: what is taken, what is refused and why."""

import time
from pathlib import Path
from typing import Any

import pytest

from appservice import AS_TOKEN, registration, write_registration
from myelin.services.appservices.conflicts import conflicts
from myelin.services.appservices.loading import load_file, load_files
from myelin.services.appservices.namespaces import MAX_REGEX_CHARACTERS, BadRegex, make_namespace
from myelin.services.appservices.registration import RegistrationError, read_registration, stored


def users(regex: str, *, exclusive: bool = True) -> dict[str, Any]:
    return {"users": [{"exclusive": exclusive, "regex": regex}]}


def test_a_registration_as_bridges_write_it() -> None:
    raw = registration(
        "http://localhost:29328/",
        rate_limited=False,
        protocols=["irc", "irc"],
        **{
            "de.sorunome.msc2409.push_ephemeral": True,
            "org.matrix.msc3202": True,
            "io.element.msc4190": True,
            "com.example.unknown": {"a": 1},
        },
    )
    read = read_registration(raw, "hs1")
    assert (read.url, read.sender, read.protocols) == ("http://localhost:29328", "@ircbot:hs1", ("irc",))
    assert (read.wants_ephemeral, read.wants_encryption, read.is_limited) == (True, True, False)
    assert read.has_user("@irc_x:hs1")
    assert read.has_user("@ircbot:hs1")
    assert not read.has_user("@irc_x:elsewhere.example")
    assert not read.has_user("@x_irc_:hs1")


def test_what_is_stored_says_the_same_without_the_token() -> None:
    raw = registration(None)
    kept = stored(raw)
    assert AS_TOKEN not in str(kept)
    assert read_registration(kept, "hs1").token_hash == read_registration(raw, "hs1").token_hash
    assert AS_TOKEN not in repr(read_registration(raw, "hs1"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": None}, "id is missing"),
        ({"id": 1}, "id must be text: put it in quotes"),
        ({"as_token": ""}, "as_token must have 1 to 4096 characters"),
        ({"as_token": 12345}, "as_token must be text: put it in quotes"),
        ({"hs_token": "with space"}, "hs_token must consist of printable ASCII characters without spaces"),
        ({"hs_token": "line\r\nX-Injected: 1"}, "hs_token must consist of printable ASCII characters without spaces"),
        ({"url": "localhost:1234"}, "url must be an http:// or https:// address"),
        ({"url": "https://user:secret@host"}, "url must be an http:// or https:// address"),
        ({"url": "http://host/?query"}, "url must be an http:// or https:// address"),
        ({"url": "http://host:99999"}, "url must be an http:// or https:// address"),
        ({"sender_localpart": "a:b"}, "sender_localpart cannot be the name of a user"),
        ({"namespaces": None}, "namespaces is missing"),
        ({"namespaces": []}, "namespaces must be a table"),
        ({"namespaces": {"users": {}}}, ""),
        ({"namespaces": {"users": "x"}}, "namespaces.users must be a list"),
        ({"namespaces": {"users": [{"exclusive": True}]}}, "namespaces.users[0].regex must be text"),
        ({"namespaces": {"rooms": [{"regex": "x"}]}}, "namespaces.rooms[0].exclusive must be true or false"),
        ({"namespaces": users("(")}, "namespaces.users[0].regex is not an expression that RE2 takes"),
        ({"namespaces": users("@(?!a).*")}, "look-around is not supported"),
        ({"namespaces": users(r"@(a)\1")}, "namespaces.users[0].regex is not an expression that RE2 takes"),
        ({"rate_limited": "no"}, "rate_limited must be true or false"),
        ({"receive_ephemeral": 1}, "receive_ephemeral must be true or false"),
        ({"protocols": "irc"}, "protocols must be a list of names"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], problem: str) -> None:
    raw = registration(None) | change
    if not problem:
        assert read_registration(raw, "hs1").users == ()
        return
    with pytest.raises(RegistrationError) as refused:
        read_registration({k: v for k, v in raw.items() if v is not None or k == "url"}, "hs1")
    assert problem in str(refused.value)
    assert AS_TOKEN not in str(refused.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(RegistrationError) as refused:
        read_registration({"namespaces": {}}, "hs1")
    assert str(refused.value).splitlines() == [
        "id is missing",
        "url is missing; null says that nothing is to be sent",
        "as_token is missing",
        "hs_token is missing",
        "sender_localpart is missing",
    ]


@pytest.mark.parametrize("content", ["- a\n- b\n", "just text", "", "a: [1", "as_token: !!python/object:os.system {}"])
def test_a_file_that_is_no_registration(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(RegistrationError, match=r"bad\.yaml: "):
        load_file(str(path), "hs1")


def test_a_broken_file_does_not_show_its_tokens(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(f'as_token: "{AS_TOKEN}" x\n')
    with pytest.raises(RegistrationError) as refused:
        load_file(str(path), "hs1")
    assert AS_TOKEN not in str(refused.value)
    assert "line 1" in str(refused.value)


def test_files_that_do_not_go_together(tmp_path: Path) -> None:
    other = registration(id="irc", as_token="other", sender_localpart="other", namespaces={})
    files = [write_registration(tmp_path, content) for content in (registration(), other)]
    with pytest.raises(RegistrationError, match="two application services with the id irc"):
        load_files(files, "hs1")


@pytest.mark.parametrize(
    ("one", "other", "overlaps"),
    [
        ("@irc_.*", "@irc_.*", True),
        ("@irc_.*", "@irc_libera_.*", True),
        ("@_(irc|xmpp)_.*", "@_xmpp_[a-z]+:hs1", True),
        ("@irc_.*", "@xmpp_.*", False),
        (r"^@tg_\d+:hs1$", "@tg_bot:hs1", False),
        ("@[[:alpha:]]+", "@[[:alpha:]]+", True),
    ],
)
def test_exclusive_namespaces_may_not_overlap(one: str, other: str, overlaps: bool) -> None:
    first = read_registration(registration(namespaces=users(one)), "hs1")
    fields = {"id": "b", "as_token": "b", "sender_localpart": "b"}
    second = read_registration(registration(**fields, namespaces=users(other)), "hs1")
    shared = read_registration(registration(**fields, namespaces=users(other, exclusive=False)), "hs1")
    assert bool(conflicts([first, second])) is overlaps
    assert bool(conflicts([second, first])) is overlaps
    assert conflicts([first, shared]) == []


@pytest.mark.parametrize("regex", ["(a+)+$", "(a|a)*$", "(.*a){20}$", "([a-z]+)*[0-9]"])
def test_no_expression_takes_long_on_any_name(regex: str) -> None:
    namespace = make_namespace(regex, exclusive=False)
    begun = time.process_time()
    namespace.matches("a" * 254 + "!")
    assert time.process_time() - begun < 2


def test_expressions_are_bounded() -> None:
    make_namespace("a" * MAX_REGEX_CHARACTERS, exclusive=True)
    for regex in ("a" * (MAX_REGEX_CHARACTERS + 1), "((a{100}){100}){100}", "\ud800"):
        with pytest.raises(BadRegex):
            make_namespace(regex, exclusive=True)
