"""Requests to other servers, over TLS on loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from held_clock import HeldClock
from myelin.config.sections.federation import Federation
from myelin.db.connection import Database
from myelin.matrix.errors import MatrixError
from myelin.matrix.signing import SigningKey, VerifyKey
from myelin.services.federation.peers import peers as peers_module
from myelin.services.federation.peers.allowed_servers import AllowedServers
from myelin.services.federation.peers.backoff import Backoffs
from myelin.services.federation.peers.discovery import Discovery
from myelin.services.federation.peers.errors import (
    PeerFailed,
    PeerNonsense,
    PeerNotAllowed,
    PeerRefused,
    PeerSilent,
    PeerUnreachable,
)
from myelin.services.federation.peers.paths import path_of
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.peers.signed_requests import verify_request
from myelin.services.federation.peers.srv_records import SrvAnswer, SrvRecord
from myelin.services.federation.peers.transport import Transport
from myelin.services.federation.peers.under_way import MAX_UNDER_WAY, UnderWay
from myelin.services.federation.peers.well_known import WellKnownFiles
from myelin.services.federation.peers.x_matrix import parse_x_matrix
from myelin.telemetry.ambient import SystemRandomness
from myelin.telemetry.metrics import Figures
from tls_peers import Ground, Seen, TlsPeer, answering, hang, open_ground, trickle

KEY = SigningKey.from_seed("ours", b"1" * 32)
PATH = "/_matrix/federation/v1/x"


class Srv:
    """SRV records by name."""

    def __init__(self) -> None:
        self.records: dict[str, list[SrvRecord]] = {}

    async def look_up(self, name: str) -> SrvAnswer:
        return SrvAnswer(self.records.get(name, []), 100)


class House:
    """Everything that Peers stands on, and Peers."""

    def __init__(self, ground: Ground, database: Database, clock: HeldClock, config: Federation):
        self.ground, self.clock, self.srv = ground, clock, Srv()
        self.well_known = WellKnownFiles(ground.client, clock)
        discovery = Discovery(self.well_known, self.srv, clock, SystemRandomness())
        self.backoffs = Backoffs(config, database, clock, SystemRandomness())
        transport = Transport(ground.client, discovery, clock)
        self.figures = Figures()
        under_way = UnderWay(self.figures, clock)
        self.peers = Peers("us.test", KEY, transport, self.backoffs, AllowedServers(config, "us.test"), under_way)

    @contextlib.asynccontextmanager
    async def peer(self, handle: Any, name: str = "a.test") -> AsyncIterator[TlsPeer]:
        """A server that is found under the port that has no need of look-ups but the name's."""
        async with self.ground.peer(handle, name) as peer:
            self.ground.dns.lead(name, 8448, peer)
            yield peer

    def waits(self, name: str = "a.test") -> bool:
        return self.peers.is_backing_off(name)


@pytest.fixture
async def house(ground: Ground, lite: Database, clock: HeldClock) -> House:
    return House(ground, lite, clock, Federation())


def check_signed(seen: Seen, key: VerifyKey = KEY.verify_key) -> None:
    claim = parse_x_matrix(seen.headers["Authorization"])
    assert claim is not None
    assert (claim.origin, claim.destination, claim.key_id) == ("us.test", "a.test", "ed25519:ours")
    value = orjson.loads(seen.body) if seen.body else None
    verify_request(key, claim, seen.method, seen.path, "a.test", seen.body, value)


async def test_all_that_is_asked_of_a_server_goes_over_one_connection(house: House) -> None:
    """As a join does: make_join, send_join, and what is asked then."""
    connections: set[object] = set()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        connections.add(request.transport)
        return web.json_response({}, status=200 if request.path != "/refused" else 403)

    async with house.peer(handle) as peer:
        await house.peers.get("a.test", PATH)
        await house.peers.put("a.test", PATH, {})
        with pytest.raises(PeerRefused):
            await house.peers.get("a.test", "/refused")
        await house.peers.post("a.test", PATH, {})
        await download(house)
        await house.peers.put("a.test", PATH, {})
    assert (len(peer.seen), len(connections), house.ground.client.connections) == (6, 1, 1)


async def test_requests_are_signed_over_what_is_sent(house: House):
    path = path_of("/_matrix/federation/v1/event/{}/{}", "$a/b?c#d%e ä", "..")
    query = [("v", "1"), ("v", "a b&c=ü")]
    async with house.peer(answering({"yes": True})) as peer:
        assert await house.peers.get("a.test", path, query=query) == {"yes": True}
        assert await house.peers.put("a.test", path, {"b": "ü", "a": 1.5}) == {"yes": True}
        assert await house.peers.post("a.test", path, b'{"a":1,"b":2}', query=query) == {"yes": True}
    get, put, post = peer.seen
    assert (get.method, put.method, post.method) == ("GET", "PUT", "POST")
    assert get.path == "/_matrix/federation/v1/event/%24a%2Fb%3Fc%23d%25e%20%C3%A4/%2E%2E?v=1&v=a+b%26c%3D%C3%BC"
    assert get.body == b""
    assert put.body == '{"a":1.5,"b":"ü"}'.encode()
    assert post.body == b'{"a":1,"b":2}'
    assert put.headers["Content-Type"] == "application/json"
    for seen in peer.seen:
        check_signed(seen)


@pytest.mark.parametrize("segment", [".", "..", "...", "a/../b", "%2e", "", "ä\0"])
def test_a_segment_is_one_segment(segment: str):
    path = path_of("/x/{}/y", segment)
    assert path.count("/") == 3
    assert "/./" not in path
    assert "/../" not in path


@pytest.mark.parametrize(
    ("status", "body", "errcode", "message"),
    [
        (403, b'{"errcode":"M_FORBIDDEN","error":"no"}', "M_FORBIDDEN", "no"),
        (404, b"<html>", "M_UNKNOWN", ""),
        (500, b'{"errcode":5,"error":[]}', "M_UNKNOWN", ""),
        (400, b"[]", "M_UNKNOWN", ""),
        (401, b'{"errcode":"' + b"M" * 101 + b'","error":"' + b"x" * 501 + b'"}', "M_UNKNOWN", "x" * 500),
        (400, b" " * 65_537, "M_UNKNOWN", ""),
        (302, b"{}", "M_UNKNOWN", ""),
    ],
)
async def test_a_refusal_is_told_as_one_and_the_server_is_there(
    house: House, status: int, body: bytes, errcode: str, message: str
):
    async with house.peer(answering(body=body, status=status, Location="https://a.test/")) as peer:
        with pytest.raises(PeerRefused) as caught:
            await house.peers.get("a.test", PATH)
    assert (caught.value.status, caught.value.errcode, caught.value.message) == (status, errcode, message)
    assert message not in str(caught.value) or not message
    assert len(peer.seen) == 1
    assert not house.waits()


async def test_a_peers_401_is_none_of_ours(house: House):
    """Relayed errors: a client that takes another server's 401 for ours logs out and destroys its keys."""
    refusal = {"errcode": "M_UNKNOWN_TOKEN", "error": "gone", "soft_logout": False}
    async with house.peer(answering(refusal, status=401)):
        with pytest.raises(PeerRefused) as caught:
            await house.peers.get("a.test", PATH)
    assert not isinstance(caught.value, MatrixError)
    assert "M_UNKNOWN_TOKEN" not in str(caught.value)


@pytest.mark.parametrize("status", [429, 502, 503, 504, 521])
async def test_a_server_that_is_not_there_is_left_alone(house: House, status: int):
    async with house.peer(answering({}, status=status, Retry_After="100")) as peer:
        with pytest.raises(PeerRefused):
            await house.peers.get("a.test", PATH)
        assert house.peers.retry_at_ms("a.test") == house.clock.now_ms() + 100_000
        with pytest.raises(PeerUnreachable):
            await house.peers.get("a.test", PATH)
        assert len(peer.seen) == 1
        with pytest.raises(PeerRefused):
            await house.peers.get("a.test", PATH, despite_backoff=True)
        house.clock.pass_ms(100_000)
        with pytest.raises(PeerRefused):
            await house.peers.get("a.test", PATH)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"NaN", b"[" * 101 + b"]" * 101, b"[" * 5000, b'{"a":"\\ud800"}', b'"' + b"x" * 999 + b'"'],
)
async def test_nonsense_is_told_as_such(house: House, body: bytes):
    async with house.peer(answering(body=body)):
        with pytest.raises(PeerNonsense):
            await house.peers.get("a.test", PATH, max_bytes=1000)
    assert not house.waits()


async def test_an_answer_may_be_just_as_large_as_is_read(house: House):
    async with house.peer(answering(body=b'"' + b"x" * 998 + b'"')):
        assert await house.peers.get("a.test", PATH, max_bytes=1000) == "x" * 998


async def test_a_compressed_answer_is_not_unpacked(house: House):
    import gzip

    async with house.peer(answering(body=gzip.compress(b" " * 10**6 + b"{}"), Content_Encoding="gzip")):
        with pytest.raises(PeerNonsense):
            await house.peers.get("a.test", PATH)


@pytest.mark.parametrize("handle", [hang, trickle])
async def test_silence_counts_only_if_the_server_had_time(house: House, handle: Any, monkeypatch):
    async with house.peer(handle):
        with pytest.raises(PeerSilent):
            await house.peers.get("a.test", PATH, timeout_s=0.2)
        assert not house.waits()
        monkeypatch.setattr(peers_module, "PATIENCE_S", 0.2)
        with pytest.raises(PeerSilent):
            await house.peers.get("a.test", PATH, timeout_s=0.2)
        assert house.waits()


async def test_who_cannot_be_reached_is_left_alone_until_it_speaks(house: House):
    house.ground.dns.addresses["a.test"] = ["127.0.0.1"]
    house.ground.dns.ports["a.test", 8448] = 1
    with pytest.raises(PeerUnreachable):
        await house.peers.get("a.test", PATH)
    assert house.waits()
    await house.peers.heard_from("a.test")
    assert not house.waits()


async def test_an_answer_ends_the_wait(house: House):
    await house.peers.note_failure("a.test")
    assert house.waits()
    async with house.peer(answering({})):
        await house.peers.get("a.test", PATH, despite_backoff=True)
    assert not house.waits()


async def test_a_certificate_for_another_name_is_no_server(house: House):
    async with house.ground.peer(answering({}), "other.test") as peer:
        house.ground.dns.lead("a.test", 8448, peer)
        with pytest.raises(PeerUnreachable):
            await house.peers.get("a.test", PATH)
        assert peer.seen == []


async def test_the_next_target_is_tried_where_one_does_not_connect(house: House):
    house.srv.records["_matrix-fed._tcp.a.test."] = [
        SrvRecord(0, 0, 1, "dead.test"),
        SrvRecord(1, 0, 2, "gone.test"),
        SrvRecord(2, 0, 3, "here.test"),
    ]
    house.ground.dns.addresses["dead.test"] = ["127.0.0.1"]
    async with house.ground.peer(answering({}), "a.test") as peer:
        house.ground.dns.lead("here.test", 3, peer)
        await house.peers.put("a.test", PATH, {})
    assert [(seen.host, seen.sni) for seen in peer.seen] == [("a.test", "a.test")]


async def test_a_request_that_arrived_is_not_sent_again_elsewhere(house: House):
    async def hang_up(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    house.srv.records["_matrix-fed._tcp.a.test."] = [SrvRecord(0, 0, 1, "one.test"), SrvRecord(1, 0, 2, "two.test")]
    async with house.ground.peer(hang_up, "a.test") as one, house.ground.peer(answering({}), "a.test") as two:
        house.ground.dns.lead("one.test", 1, one)
        house.ground.dns.lead("two.test", 2, two)
        with pytest.raises(PeerUnreachable):
            await house.peers.post("a.test", PATH, {})
        assert two.seen == []


async def test_a_delegation_that_leads_nowhere_is_looked_up_anew(house: House):
    async with house.ground.peer(answering({"m.server": "b.test:8448"}), "a.test") as files:
        house.ground.dns.lead("a.test", 443, files)
        for _ in range(2):
            with pytest.raises(PeerUnreachable):
                await house.peers.get("a.test", PATH, despite_backoff=True)
            house.clock.pass_ms(300_000)
        assert len(files.seen) == 2


@pytest.mark.parametrize("name", ["us.test", "", "a..test", "a.test/x", "user:pass@a.test", "a.test:99999", "\0"])
async def test_what_is_no_other_server_is_not_asked(house: House, name: str):
    assert not house.peers.is_allowed(name)
    with pytest.raises(PeerNotAllowed):
        await house.peers.get(name, PATH)


async def test_only_allowed_servers_are_asked(ground: Ground, lite: Database, clock: HeldClock):
    house = House(ground, lite, clock, Federation(allow=("*.test",), deny=("B.test", "*.c.test")))
    assert [house.peers.is_allowed(n) for n in ("a.test", "A.TEST", "b.test", "x.c.test", "c.test", "a.org")] == [
        True, True, False, False, True, False,
    ]  # fmt: skip
    off = House(ground, lite, clock, Federation(enabled=False))
    assert not off.peers.is_allowed("a.test")
    with pytest.raises(PeerNotAllowed):
        await off.peers.get("a.test", PATH)


async def test_a_private_address_is_not_asked(tmp_path: Path, lite: Database, clock: HeldClock):
    async with open_ground(tmp_path, deny_private=True) as ground, ground.peer(answering({}), "a.test") as peer:
        house = House(ground, lite, clock, Federation())
        ground.dns.lead("a.test", 8448, peer)
        for name in ("a.test", "127.0.0.1", "[::1]", f"127.0.0.1:{peer.port}", "169.254.169.254"):
            with pytest.raises(PeerUnreachable):
                await house.peers.get(name, PATH)
        assert peer.seen == []


async def test_who_gives_up_leaves_nothing_behind(house: House):
    async with house.peer(hang):
        task = asyncio.ensure_future(house.peers.get("a.test", PATH))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not house.waits()


async def test_so_many_requests_to_one_server_may_wait(house: House):
    """A server that is slow fills neither memory nor the way to others."""
    async with house.peer(hang), house.peer(answering({}), "b.test"):
        waiting = [asyncio.ensure_future(house.peers.get("a.test", PATH)) for _ in range(MAX_UNDER_WAY)]
        await asyncio.sleep(0)
        with pytest.raises(PeerUnreachable, match="already"):
            await house.peers.get("a.test", PATH)
        assert not house.waits()
        assert await house.peers.get("b.test", PATH) == {}
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
        with pytest.raises(PeerSilent):
            await house.peers.get("a.test", PATH, timeout_s=0.2)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    assert not house.peers._under_way._count


async def test_requests_are_counted_by_how_they_end(house: House):
    async with (
        house.peer(answering({})),
        house.peer(answering({}, status=403), "b.test"),
        house.peer(answering(body=b"x"), "c.test"),
    ):
        for name in ("a.test", "b.test", "a.test", "c.test", "d.test", "b.test", "a.test"):
            with contextlib.suppress(PeerFailed):
                await house.peers.get(name, PATH)
    counted = {dict(one.labels)["outcome"]: one.figure.value for one in house.figures.families["peer_requests"].series}
    assert counted == {"answered": 3, "refused": 2, "nonsense": 1, "unreachable": 1, "gave_up": 0}
    assert sum(house.figures.families["peer_request_seconds"].series[0].figure.counts) == 7


MULTIPART = (
    b"--xyz\r\nContent-Type: application/json\r\n\r\n{}\r\n"
    b'--xyz\r\nContent-Type: image/png\r\nContent-Disposition: inline; filename="a.png"\r\n\r\n'
    b"\x00\x01--xyz?\r\n--xyz--\r\n"
)


async def download(house: House, path: str = PATH, **options: Any) -> tuple[str, str | None, bytes]:
    async with house.peers.download("a.test", path, **{"max_bytes": 100, **options}) as file:
        return file.content_type, file.content_disposition, b"".join([chunk async for chunk in file.chunks])


async def test_a_file_in_parts_is_downloaded(house: House):
    async with house.peer(answering(body=MULTIPART, Content_Type="Multipart/Mixed; boundary=xyz")) as peer:
        assert await download(house) == ("image/png", 'inline; filename="a.png"', b"\x00\x01--xyz?")
    check_signed(peer.seen[0])


async def test_a_plain_file_is_downloaded_without_a_signature(house: House):
    async with house.peer(answering(body=b"x" * 100, Content_Type="text/plain")) as peer:
        assert await download(house, signed=False) == ("text/plain", None, b"x" * 100)
    assert "Authorization" not in peer.seen[0].headers


@pytest.mark.parametrize("in_parts", [True, False])
async def test_a_file_that_is_elsewhere_is_fetched_without_our_name(house: House, in_parts: bool):
    location = "https://cdn.test/one?sig=1"
    parts = b"--b\r\n\r\n{}\r\n--b\r\nLocation: " + location.encode() + b"\r\n\r\n\r\n--b--"
    first = (
        answering(body=parts, Content_Type="multipart/mixed; boundary=b")
        if in_parts
        else answering(body=b"", status=307, Location=location)
    )

    async def cdn(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/one":
            return web.Response(status=302, headers={"Location": "/two"})
        return web.Response(body=MULTIPART, content_type="multipart/mixed")

    async with house.peer(first), house.ground.peer(cdn, "cdn.test") as peer:
        house.ground.dns.lead("cdn.test", 443, peer)
        assert await download(house, max_bytes=1000) == ("multipart/mixed", None, MULTIPART)
    assert [seen.path for seen in peer.seen] == ["/one?sig=1", "/two"]
    assert not any("Authorization" in seen.headers for seen in peer.seen)


@pytest.mark.parametrize(
    "location", ["http://cdn.test/", "/relative", "", "https://127.0.0.1:1/", "https://none.test/", "ftp://x/"]
)
async def test_a_file_that_is_said_to_be_nowhere_is_nonsense(house: House, location: str):
    async with house.peer(answering(body=b"", status=302, Location=location)):
        with pytest.raises(PeerNonsense):
            await download(house)
    assert not house.waits()


async def test_a_file_in_the_private_network_is_not_fetched(tmp_path: Path, lite: Database, clock: HeldClock):
    """SSRF by a media redirect."""
    async with open_ground(tmp_path, deny_private=True) as ground:
        house = House(ground, lite, clock, Federation())

        async def ask() -> None:
            transport = Transport(ground.client, None, clock)  # type: ignore[arg-type]
            from myelin.http.https_place import HttpsPlace

            async with transport.open_place(HttpsPlace.of_url("https://169.254.169.254/latest"), timeout_s=5):
                raise AssertionError

        with pytest.raises(PeerNonsense):
            await ask()
        assert not house.waits()


async def test_redirects_end(house: House):
    async with (
        house.peer(answering(body=b"", status=302, Location="https://cdn.test/")),
        house.ground.peer(answering(body=b"", status=302, Location="https://cdn.test/"), "cdn.test") as cdn,
    ):
        house.ground.dns.lead("cdn.test", 443, cdn)
        with pytest.raises(PeerNonsense):
            await download(house)
        assert len(cdn.seen) == 3


@pytest.mark.parametrize(
    "handle",
    [
        answering(body=b"x" * 101),
        answering(body=MULTIPART.replace(b"\x00", b"x" * 94), Content_Type="multipart/mixed; boundary=xyz"),
        answering(body=MULTIPART.replace(b"{}", b" " * 65_537), Content_Type="multipart/mixed; boundary=xyz"),
        answering(body=b"--xyz\r\n\r\n{}\r\n--xyz--", Content_Type="multipart/mixed; boundary=xyz"),
        answering(body=b"", Content_Type="multipart/mixed; boundary=xyz"),
        answering(body=MULTIPART, Content_Type="multipart/mixed"),
        answering(body=b"{}", status=404),
    ],
)
async def test_a_file_that_is_too_large_or_no_file_is_refused(house: House, handle: Any):
    async with house.peer(handle):
        with pytest.raises(PeerFailed):
            await download(house)
    assert not house.waits()


@pytest.mark.parametrize("cut", [3, 5, 7, 9, 12])
async def test_a_file_without_the_boundary_after_it_is_refused(house: House, cut: int):
    """It may be cut off: kept, it would be served for ever."""
    handle = answering(body=MULTIPART.rstrip(b"\r\n")[:-cut], Content_Type="multipart/mixed; boundary=xyz")
    async with house.peer(handle):
        with pytest.raises(PeerFailed):
            await download(house)
    assert not house.waits()


async def test_a_file_that_breaks_off_is_told(house: House):
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 50
        await response.prepare(request)
        await response.write(b"x")
        assert request.transport is not None
        request.transport.close()
        return response

    async with house.peer(handle):
        with pytest.raises(PeerUnreachable):
            await download(house)
