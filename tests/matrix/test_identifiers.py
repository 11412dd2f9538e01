"""Identifiers: the grammars, and every limit at its edge."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from matrix.strategies import new_localparts, server_names, texts, user_ids
from myelin.matrix import identifiers as ids
from myelin.matrix.errors import InvalidIdentifier

LONG = "a" * 200


@pytest.mark.parametrize(
    "name",
    [
        "matrix.org",
        "matrix.org:8888",
        "1.2.3.4",
        "1.2.3.4:1234",
        "[1234:5678::abcd]",
        "[1234:5678::abcd]:5678",
        "localhost",
        "MATRIX.org",
        "xn--bcher-kva.example",
        "a" * 255,
        "h:65535",
        "1.2.3",
        "1a.2.3.4",
        "[::ffff:1.2.3.4]",
        "example.org.",
    ],
)
def test_server_names(name: str) -> None:
    assert ids.is_server_name(name)
    assert ids.check_server_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "a_b",
        "a/b",
        "a b",
        "a:",
        ":80",
        "h:65536",
        "h:123456",
        "h:x",
        "h:1:2",
        "[::1",
        "::1",
        "[]",
        "[:::]",
        "[1.2.3.4]",
        "1.2.3.256",
        "1.2.3.0004",
        "a" * 256,
        "bücher.example",
        "a\n",
        "a\x00",
        "[fe80::1%eth0]",
        "h:١",
        None,
        5,
        b"a",
        ["a"],
    ],
)
def test_not_server_names(name: Any) -> None:
    assert not ids.is_server_name(name)
    with pytest.raises(InvalidIdentifier):
        ids.check_server_name(name)


@pytest.mark.parametrize(
    ("name", "host", "port", "is_ip"),
    [
        ("matrix.org", "matrix.org", None, False),
        ("matrix.org:8448", "matrix.org", 8448, False),
        ("1.2.3.4:80", "1.2.3.4", 80, True),
        ("[::1]", "[::1]", None, True),
        ("[::1]:80", "[::1]", 80, True),
    ],
)
def test_taking_a_server_name_apart(name: str, host: str, port: int | None, is_ip: bool) -> None:
    address = ids.parse_server_name(name)
    assert (address.host, address.port, address.is_ip_literal) == (host, port, is_ip)


@given(server_names)
def test_generated_server_names(name: str) -> None:
    address = ids.parse_server_name(name)
    assert name == address.host + ("" if address.port is None else name[len(address.host) :])


@given(user_ids)
def test_user_ids_come_apart(user_id: str) -> None:
    assert ids.check_user_id(user_id) == user_id
    assert user_id == f"@{ids.localpart_of(user_id)}:{ids.server_name_of(user_id)}"


@given(texts)
def test_any_localpart_was_once_allowed(text: str) -> None:
    assert ids.is_user_id(f"@{text}:example.org") is not (":" in text or "\0" in text)


@given(new_localparts)
def test_new_users(localpart: str) -> None:
    assert ids.new_user_id(localpart, "example.org") == f"@{localpart}:example.org"


@pytest.mark.parametrize("localpart", ["", "Alice", "a b", "a:b", "ä", "a!", "a\n", None, 3])
def test_not_for_new_users(localpart: Any) -> None:
    with pytest.raises(InvalidIdentifier):
        ids.new_user_id(localpart, "example.org")


def test_new_user_length() -> None:
    assert len(ids.new_user_id("a" * 242, "example.org")) == 255
    with pytest.raises(InvalidIdentifier, match="too long"):
        ids.new_user_id("a" * 243, "example.org")


@pytest.mark.parametrize(
    ("check", "valid"),
    [
        (ids.check_user_id, "@:example.org"),
        (ids.check_user_id, "@" + "a" * 242 + ":example.org"),
        (ids.check_user_id, "@" + "é" * 121 + ":example.org"),
        (ids.check_user_id, "@a\n b/c:example.org:80"),
        (ids.check_room_id, "!a:example.org"),
        (ids.check_room_id, "!a b\n:[::1]:80"),
        (ids.check_room_id, "!" + "A_-9" * 10 + "abc"),
        (ids.check_room_alias, "#räum:example.org"),
        (ids.check_event_id, "$a:example.org"),
        (ids.check_event_id, "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg"),
        (ids.check_event_id, "$" + "a" * 254),
        (ids.check_device_id, "ABC DEF:ü"),
        (ids.check_device_id, "a" * 255),
        (ids.check_opaque_id, "aZ09-._~"),
        (ids.check_opaque_id, "a" * 255),
        (ids.check_namespaced_id, "m.room.name"),
        (ids.check_namespaced_id, "a" * 255),
    ],
)
def test_valid(check: Callable[[object], str], valid: str) -> None:
    assert check(valid) == valid


@pytest.mark.parametrize(
    ("check", "invalid"),
    [
        (ids.check_user_id, "alice:example.org"),
        (ids.check_user_id, "@alice"),
        (ids.check_user_id, "@alice:"),
        (ids.check_user_id, "@al:ice:example.org"),
        (ids.check_user_id, "@al\0ice:example.org"),
        (ids.check_user_id, "@al\ud800ice:example.org"),
        (ids.check_user_id, "@alice:exa mple.org"),
        (ids.check_user_id, "@alice:1.2.3.400"),
        (ids.check_user_id, "@" + "a" * 243 + ":example.org"),
        (ids.check_user_id, "@" + "é" * 122 + ":example.org"),
        (ids.check_room_id, "!a"),
        (ids.check_room_id, "!:example.org"),
        (ids.check_room_id, "#a:example.org"),
        (ids.check_room_id, "!" + "a" * 42),
        (ids.check_room_id, "!" + "a" * 44),
        (ids.check_room_id, "!" + "+" * 43),
        (ids.check_room_id, "!" + "a" * 243 + ":example.org"),
        (ids.check_room_alias, "#a"),
        (ids.check_room_alias, "#:example.org"),
        (ids.check_room_alias, "#" + "a" * 243 + ":example.org"),
        (ids.check_event_id, "$"),
        (ids.check_event_id, "a"),
        (ids.check_event_id, "$a\0"),
        (ids.check_event_id, "$" + "a" * 255),
        (ids.check_device_id, ""),
        (ids.check_device_id, "a\0"),
        (ids.check_device_id, "a" * 256),
        (ids.check_opaque_id, ""),
        (ids.check_opaque_id, "a" * 256),
        (ids.check_opaque_id, "a/b"),
        (ids.check_opaque_id, "a\n"),
        (ids.check_namespaced_id, ""),
        (ids.check_namespaced_id, "9a"),
        (ids.check_namespaced_id, "A"),
        (ids.check_namespaced_id, "a" * 256),
    ],
)
def test_invalid(check: Callable[[object], str], invalid: str) -> None:
    for value in (invalid, None, 7, [invalid]):
        with pytest.raises(InvalidIdentifier):
            check(value)


def test_key_ids() -> None:
    assert ids.parse_key_id("ed25519:a_xyz") == ("ed25519", "a_xyz")
    assert ids.parse_key_id("signed_curve25519:AAA:B") == ("signed_curve25519", "AAA:B")
    assert ids.parse_key_id("ed25519:" + "a" * 247)[1] == "a" * 247
    for bad in ("", "ed25519", "ed25519:", ":a", "ed 25519:a", "ed25519:a\0", "ed25519:" + "a" * 248, None, 3):
        with pytest.raises(InvalidIdentifier):
            ids.parse_key_id(bad)


def test_content_uris() -> None:
    assert ids.parse_mxc_uri("mxc://example.org:80/aZ09_-") == ("example.org:80", "aZ09_-")
    assert ids.parse_mxc_uri("mxc://h/" + "a" * 255) == ("h", "a" * 255)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://h/a",
        "mxc://h",
        "mxc://h/",
        "mxc:///a",
        "mxc://h/a/b",
        "mxc://../..",
        "mxc://../a",
        "mxc://h/..",
        "mxc://h/a.b",
        "mxc://127.0.0.1/../../../some_service/etc/passwd",
        "mxc://h/%2e",
        "mxc://h/" + "a" * 256,
        "MXC://h/a",
        "mxc://h/a\n",
        None,
        1,
    ],
)
def test_media_path_traversal_is_not_an_identifier(uri: Any) -> None:
    with pytest.raises(InvalidIdentifier):
        ids.parse_mxc_uri(uri)


def test_ids_without_a_server() -> None:
    assert ids.localpart_of("!" + LONG) == LONG
    with pytest.raises(InvalidIdentifier):
        ids.server_name_of("!" + LONG)
    assert ids.server_name_of("@a:[::1]:80") == "[::1]:80"
