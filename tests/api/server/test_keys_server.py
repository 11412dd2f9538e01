"""This server's published keys."""

from pathlib import Path

import msgspec
import pytest

from held_clock import HeldClock
from inprocess import KEY_LINE, TestServer, make_config, running_server
from key_world import key_of
from myelin.config.sections.federation import Federation
from myelin.matrix.signing import SigningKey, verify_signed_json
from myelin.services.federation.peers.own_keys import SIGNED_ANEW_AFTER_MS, VALID_FOR_MS

KEY = SigningKey.from_key_line(KEY_LINE)
OLD = key_of("hs1", "old")
HOUR_MS = 3_600_000


async def test_the_key_is_published_and_signed_with_itself(server_at: TestServer, clock: HeldClock):
    keys = await server_at.anonymous.get("/_matrix/key/v2/server")
    assert keys["server_name"] == "hs1"
    assert keys["verify_keys"] == {KEY.key_id: {"key": KEY.verify_key.to_base64()}}
    assert keys["old_verify_keys"] == {}
    assert keys["valid_until_ts"] == clock.now_ms() + VALID_FOR_MS
    verify_signed_json(keys, "hs1", KEY.verify_key)


async def test_what_is_published_never_runs_out_soon(server_at: TestServer, clock: HeldClock):
    first = await server_at.anonymous.get("/_matrix/key/v2/server")
    clock.pass_ms(SIGNED_ANEW_AFTER_MS - 1)
    assert await server_at.anonymous.get("/_matrix/key/v2/server") == first
    assert first["valid_until_ts"] - clock.now_ms() > HOUR_MS
    clock.pass_ms(1)
    second = await server_at.anonymous.get("/_matrix/key/v2/server")
    assert second["valid_until_ts"] == clock.now_ms() + VALID_FOR_MS
    verify_signed_json(second, "hs1", KEY.verify_key)


async def test_keys_of_before_are_published_with_their_end(tmp_path: Path):
    old = (
        f"{OLD.key_id} {OLD.verify_key.to_base64()} 1700000000000",
        # A key that is in use again is not old.
        f"{KEY.key_id} {KEY.verify_key.to_base64()} 5",
    )
    async with running_server(make_config(tmp_path, federation=Federation(old_verify_keys=old))) as server:
        keys = await server.anonymous.get("/_matrix/key/v2/server")
    assert keys["old_verify_keys"] == {OLD.key_id: {"key": OLD.verify_key.to_base64(), "expired_ts": 1_700_000_000_000}}
    assert list(keys["verify_keys"]) == [KEY.key_id]
    verify_signed_json(keys, "hs1", KEY.verify_key)


@pytest.mark.parametrize(
    "path",
    [
        "/_matrix/key/v2/server",
        "/_matrix/key/v2/query/a.test",
        "/_matrix/federation/v1/version",
        "/.well-known/matrix/server",
    ],
)
async def test_without_federation_there_is_nothing_of_it(tmp_path: Path, path: str):
    async with running_server(make_config(tmp_path, federation=Federation(enabled=False))) as server:
        assert (await server.anonymous("GET", path)).status == 404


async def test_the_well_known_file_names_the_configured_address(tmp_path: Path):
    federation = Federation(address="matrix.hs1.test:443")
    config = make_config(tmp_path, federation=federation)
    async with running_server(config) as server:
        assert await server.anonymous.get("/.well-known/matrix/server") == {"m.server": "matrix.hs1.test:443"}
    silent = msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, serve_well_known=False))
    async with running_server(silent) as server:
        (await server.anonymous("GET", "/.well-known/matrix/server")).error(404, "M_NOT_FOUND")
