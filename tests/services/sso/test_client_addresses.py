"""Where clients wait: what may be an address, which are trusted, and how a token gets into one."""

import pytest

from myelin.matrix.errors import InvalidParam
from myelin.services.sso.client_addresses import (
    MAX_ADDRESS_CHARACTERS,
    check_client_address,
    is_trusted,
    shown_name,
    with_login_token,
)

TRUSTED = ("https://chat.example.org/app/", "element://connect", "io.element.desktop:/vector/")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://chat.example.org/app/", True),
        ("https://chat.example.org/app", True),
        ("https://chat.example.org/app/?a=b#c", True),
        ("HTTPS://Chat.Example.org/app/x", True),
        ("element://connect", True),
        ("element://connect?x=1", True),
        ("io.element.desktop:/vector/webapp/", True),
        ("https://chat.example.org/", False),
        ("https://chat.example.org/apple", False),
        ("https://chat.example.org:8443/app/", False),
        ("http://chat.example.org/app/", False),
        ("https://chat.example.org.evil.example/app/", False),
        ("https://evil.example/https://chat.example.org/app/", False),
        ("https://evil.example/?https://chat.example.org/app/", False),
        ("https://chat.example.org/app/../x", False),
        ("https://chat.example.org/app/%2E%2e/x", False),
        ("element://connect.evil.example", False),
        ("io.element.desktop:/vectors", False),
    ],
)
def test_what_is_trusted(address: str, expected: bool):
    assert is_trusted(address, TRUSTED) is expected
    assert is_trusted(address, ()) is False


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://x/", "https://x/?loginToken=t"),
        ("https://x/?a=b", "https://x/?a=b&loginToken=t"),
        ("https://x/?a=%26&b", "https://x/?a=%26&b&loginToken=t"),
        ("https://x/?loginToken=old&a=b&loginToken=older", "https://x/?a=b&loginToken=t"),
        ("https://x/?login%54oken=old", "https://x/?loginToken=t"),
        ("https://x/?a=b#/room", "https://x/?a=b&loginToken=t#/room"),
        ("https://x/#/login?loginToken=inside", "https://x/?loginToken=t#/login?loginToken=inside"),
        ("app:///path", "app:///path?loginToken=t"),
        ("io.element.desktop:/vector/", "io.element.desktop:/vector/?loginToken=t"),
    ],
)
def test_the_token_goes_into_the_query(address: str, expected: str):
    assert with_login_token(address, "t") == expected


def test_the_limit():
    address = "https://x/"
    address += "y" * (MAX_ADDRESS_CHARACTERS - len(address))
    assert check_client_address(address) == address
    with pytest.raises(InvalidParam):
        check_client_address(address + "y")


@pytest.mark.parametrize(
    ("address", "expected"),
    [("https://chat.example.org:8443/app", "chat.example.org:8443"), ("element://connect", "the app element:")],
)
def test_what_users_are_told(address: str, expected: str):
    assert shown_name(address) == expected
