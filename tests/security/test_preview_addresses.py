"""Previews: the server goes nowhere that only it can reach, whichever way it is sent there."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from ipaddress import IPv4Address
from typing import Any

import pytest

from inprocess import Client
from myelin.http import ssrf
from web_site import Site, web_site

PATH = "/_matrix/client/v1/media/preview_url"
PUBLIC = "127.0.0.1"
"""Counts as an address on the Internet in these tests; the rest of 127.0.0.0/8 is private as ever."""
PRIVATE = "127.0.0.2"


class Net:
    """A site on the Internet, one in the server's own network at the same port, and names that lead to them."""

    def __init__(self, outside: Site, inside: Site) -> None:
        self.outside = outside
        self.inside = inside
        self.port = int(outside.url.rpartition(":")[2])
        self.names: dict[str, Iterator[list[str]]] = {}
        self.look_ups: list[str] = []


@pytest.fixture
async def net(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Net]:
    really_public, look_up = ssrf.is_public, socket.getaddrinfo
    monkeypatch.setattr(ssrf, "is_public", lambda a: a == IPv4Address(PUBLIC) or really_public(a))
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(web_site(PUBLIC))
        port = int(outside.url.rpartition(":")[2])
        made = Net(outside, await stack.enter_async_context(web_site(PRIVATE, port)))
        made.inside.put("/", "<title>internal</title><meta property='og:description' content='keys'>")
        made.inside.put("/oembed", '{"type":"link","title":"internal"}', "application/json")

        def named(host: str, port: int, *rest: Any) -> list[Any]:
            if host not in made.names:
                return look_up(host, port, *rest)
            made.look_ups.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in next(made.names[host])]

        monkeypatch.setattr(socket, "getaddrinfo", named)
        yield made


def spellings(port: int) -> list[str]:
    """Ways to write the private address."""
    number = int(IPv4Address(PRIVATE))
    hosts = [
        PRIVATE, str(number), hex(number), "0177.0.0.2", "127.2", "0x7f.0.0.2", "127.0.0.2.", "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]", "[0:0:0:0:0:ffff:7f00:0002]", "[::127.0.0.2]", "[64:ff9b::7f00:2]", "[2002:7f00:2::]",
        "[::1]", "[::]", "0", "0.0.0.0", "localhost", "LOCALHOST", "localhost.", "①②⑦.⓪.⓪.②", "127。0。0。2",
        "[fe80::1%25lo]", "[fd00::1]", "169.254.169.254", "10.0.0.1", "100.64.0.1", "metadata.google.internal",
    ]  # fmt: skip
    return [f"http://{host}:{port}/" for host in hosts]


async def refused(mallory: Client, url: str) -> None:
    answer = await mallory("GET", PATH, url=url)
    assert answer.status in (400, 403, 502), (url, answer.json)
    assert b"internal" not in answer.data


async def test_s_cve_2023_32683_private_addresses_in_every_form(mallory: Client, net: Net) -> None:
    for url in spellings(net.port):
        await refused(mallory, url)
    assert not net.inside.asked


async def test_s_cve_2023_32683_private_addresses_by_redirect(mallory: Client, net: Net) -> None:
    for number, url in enumerate(spellings(net.port)):
        for status in (301, 307):
            await refused(mallory, net.outside.redirect(f"/{number}-{status}", url, status))
    far = net.outside.redirect("/a", "/b")
    net.outside.redirect("/b", f"http://{PRIVATE}:{net.port}/")
    await refused(mallory, far)
    assert net.outside.asked["/b"] == 1
    assert not net.inside.asked


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.2/",
        "//127.0.0.2:{port}/",
        "",
        "http://",
        "\\\\127.0.0.2\\",
    ],
)
async def test_redirects_lead_to_the_web_only(mallory: Client, net: Net, location: str) -> None:
    await refused(mallory, net.outside.redirect("/", location.format(port=net.port)))
    assert not net.inside.asked


async def test_d_cve_2024_52594_dns_rebinding(mallory: Client, net: Net) -> None:
    net.names["rebind.example"] = iter([[PUBLIC], [PRIVATE], [PRIVATE], [PRIVATE]])
    net.outside.put("/", "<title>outside</title><meta property='og:image' content='/image.png'>")
    base = f"http://rebind.example:{net.port}"
    assert await mallory.get(PATH, url=f"{base}/") == {"og:title": "outside"}
    await mallory("GET", PATH, url=f"{base}/again")
    assert not net.inside.asked


async def test_d_cve_2024_52594_names_with_private_addresses(mallory: Client, net: Net) -> None:
    net.names["both.example"] = iter([[PRIVATE, PUBLIC]] * 4)
    net.names["inner.example"] = iter([[PRIVATE]] * 4)
    net.outside.put("/", "<title>outside</title>")
    assert await mallory.get(PATH, url=f"http://both.example:{net.port}/") == {"og:title": "outside"}
    await refused(mallory, f"http://inner.example:{net.port}/")
    await refused(mallory, net.outside.redirect("/to", f"http://inner.example:{net.port}/"))
    assert not net.inside.asked


async def test_pages_do_not_send_the_server_inside_either(mallory: Client, net: Net) -> None:
    inside = f"http://{PRIVATE}:{net.port}"
    page = (
        f"<title>outside</title><meta property='og:image' content='{inside}/image.png'><base href='{inside}/'>"
        f"<link rel=alternate type='application/json+oembed' href='{inside}/oembed'><img src=x.png>"
    )
    assert await mallory.get(PATH, url=net.outside.put("/", page)) == {"og:title": "outside"}
    assert not net.inside.asked


@pytest.mark.parametrize("port", [22, 25, 6379, 6667, 2049, 587, 1])
async def test_ports_of_other_protocols(mallory: Client, net: Net, port: int) -> None:
    (await mallory("GET", PATH, url=f"http://{PUBLIC}:{port}/")).error(403, "M_FORBIDDEN")
    await refused(mallory, net.outside.redirect("/", f"http://{PUBLIC}:{port}/"))


async def test_an_error_does_not_tell_what_is_inside(mallory: Client, net: Net) -> None:
    """A closed port, an open one and an address that is not allowed look the same."""
    urls = [f"http://{PRIVATE}:{net.port}/", f"http://{PRIVATE}:65000/", f"{net.outside.url}/missing"]
    answers = [await mallory("GET", PATH, url=url) for url in urls]
    assert len({(a.status, a.data) for a in answers}) == 1
