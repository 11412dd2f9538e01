"""Where calls find the servers that carry them."""

import hmac
from base64 import b64encode
from pathlib import Path

from held_clock import HeldClock
from inprocess import TestServer, make_config, running_server
from myelin.config.sections.calls import Rtc, RtcTransport, Voip

RTC = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports"
URIS = ("turn:turn.example.org?transport=udp", "turns:turn.example.org")


async def test_without_a_turn_server_there_are_no_credentials(server: TestServer) -> None:
    alice = await server.register("alice")
    (await alice("GET", "voip/turnServer")).error(404, "M_NOT_FOUND")
    (await server.anonymous("GET", "voip/turnServer")).error(401, "M_MISSING_TOKEN")


async def test_a_shared_secret_makes_credentials_that_expire(tmp_path: Path) -> None:
    voip = Voip(turn_uris=URIS, turn_shared_secret="n0rth", turn_user_lifetime_ms=3_600_000)
    clock = HeldClock()
    async with running_server(make_config(tmp_path, voip=voip), clock) as server:
        alice = await server.register("alice")
        found = await alice.get("voip/turnServer")
        expires_s = clock.now_ms() // 1000 + 3600
    username = f"{expires_s}:@alice:hs1"
    password = b64encode(hmac.digest(b"n0rth", username.encode(), "sha1")).decode()
    assert found == {"username": username, "password": password, "uris": list(URIS), "ttl": 3600}


async def test_a_fixed_user_is_the_same_for_all(tmp_path: Path) -> None:
    voip = Voip(turn_uris=URIS[:1], turn_username="all", turn_password="open")
    async with running_server(make_config(tmp_path, voip=voip)) as server:
        alice = await server.register("alice")
        found = await alice.get("voip/turnServer")
    assert (found["username"], found["password"], found["uris"]) == ("all", "open", list(URIS[:1]))


async def test_group_calls_have_no_server_unless_it_is_configured(server: TestServer) -> None:
    alice = await server.register("alice")
    assert await alice.get(RTC) == {"rtc_transports": []}
    assert "org.matrix.msc4143.rtc_foci" not in await alice.get("/.well-known/matrix/client")
    (await server.anonymous("GET", RTC)).error(401, "M_MISSING_TOKEN")


async def test_clients_find_the_server_of_group_calls_in_both_places(tmp_path: Path) -> None:
    rtc = Rtc(transports=(RtcTransport(livekit_service_url="https://rtc.hs1"),))
    async with running_server(make_config(tmp_path, rtc=rtc)) as server:
        alice = await server.register("alice")
        expected = [{"type": "livekit", "livekit_service_url": "https://rtc.hs1"}]
        assert await alice.get(RTC) == {"rtc_transports": expected}
        assert (await alice.get("/.well-known/matrix/client"))["org.matrix.msc4143.rtc_foci"] == expected
        assert (await alice.get("/_matrix/client/versions"))["unstable_features"]["org.matrix.msc4143"] is True
