"""Which addresses are connected to."""

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from myelin.http.ssrf import AddressDenied, AddressGuard, GuardedResolver, is_public

PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "240.0.0.1",
    "192.88.99.1",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "::10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:53aa:64c:0:5efe:7f00:1",
    "2001:db8::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "100::1",
]
NOWHERE = ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "239.1.1.1", "ff02::1", "::ffff:224.0.0.1"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(ip_address(address))
    assert AddressGuard(deny_private=True).allows(address)


@pytest.mark.parametrize("address", PRIVATE + NOWHERE)
def test_what_is_not_public_is_denied(address: str) -> None:
    guard = AddressGuard(deny_private=True)
    assert not guard.allows(address)
    with pytest.raises(AddressDenied):
        guard.check_host(address)


@pytest.mark.parametrize("address", [*PUBLIC, "127.0.0.1", "10.0.0.1", "::1", "::ffff:127.0.0.1", "fd00::1"])
def test_private_addresses_are_allowed_where_the_config_says_so(address: str) -> None:
    guard = AddressGuard(deny_private=False)
    assert guard.allows(address)
    guard.check_host(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "::ffff:0.0.0.0"])
def test_nobody_answers_at_groups_and_at_any_address(address: str) -> None:
    assert not AddressGuard(deny_private=False).allows(address)


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0177.0.0.1", "127.0.0.1.", "1.1.1.1.1", "::1::", "1:2"])
def test_addresses_in_unusual_spellings_are_denied(host: str) -> None:
    for deny_private in (True, False):
        with pytest.raises(AddressDenied):
            AddressGuard(deny_private=deny_private).check_host(host)


def test_names_are_left_to_the_resolver() -> None:
    AddressGuard(deny_private=True).check_host("localhost")
    AddressGuard(deny_private=True).check_host("0x7f.1")


async def resolved(monkeypatch: pytest.MonkeyPatch, *addresses: str, deny_private: bool = True) -> list[str]:
    def look_up(host: str, port: int, *_: Any) -> list[Any]:
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [(family[ip_address(a).version], socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = GuardedResolver(AddressGuard(deny_private=deny_private))
    try:
        return [entry["host"] for entry in await resolver.resolve("name.example", 443)]
    finally:
        await resolver.close()


async def test_a_name_gives_its_public_addresses_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await resolved(monkeypatch, "10.0.0.1", "1.1.1.1", "::1", "2606:4700::1") == ["1.1.1.1", "2606:4700::1"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:192.168.0.1", "169.254.169.254"])
async def test_a_name_with_private_addresses_alone_is_denied(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with pytest.raises(AddressDenied):
        await resolved(monkeypatch, address)
    assert await resolved(monkeypatch, "10.0.0.1", deny_private=False) == ["10.0.0.1"]


@pytest.mark.parametrize("host", ["localhost", "0x7f.1", "0x7f000001"])
async def test_real_names_of_this_machine_are_denied(host: str) -> None:
    resolver = GuardedResolver(AddressGuard(deny_private=True))
    with pytest.raises(OSError, match=host):
        await resolver.resolve(host, 443)
    await resolver.close()
