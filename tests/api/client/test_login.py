"""Signing in and out over HTTP."""

import asyncio
from pathlib import Path

import pytest

from held_clock import HeldClock
from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.accounts import Sessions
from myelin.config.sections.rate_limits import Bucket, RateLimits
from myelin.services.accounts.tokens import shard_tag


def password_login(user: str, password: str = "correct horse", **more: object) -> dict[str, object]:
    """The body of a login."""
    identifier = {"type": "m.id.user", "user": user}
    return {"type": "m.login.password", "identifier": identifier, "password": password, **more}


def as_client(server: TestServer, token: str) -> Client:
    """A client with this token."""
    return Client(server.session, server.base, token)


async def test_flows(server: TestServer) -> None:
    flows = (await server.anonymous.get("login"))["flows"]
    assert flows == [
        {"type": "m.login.password"},
        {"type": "m.login.token", "get_login_token": True},
        {"type": "m.login.application_service"},
    ]


@pytest.mark.parametrize("user", ["alice", "ALICE", "@alice:hs1", "@Alice:hs1"])
async def test_the_user_may_be_named_in_full_or_in_part(server: TestServer, user: str) -> None:
    await server.register("alice")
    made = (await server.anonymous("POST", "login", password_login(user))).ok()
    assert made["user_id"] == "@alice:hs1"
    assert made["home_server"] == "hs1"


async def test_the_older_user_field_and_the_r0_path(server: TestServer) -> None:
    await server.register("alice")
    body = {"type": "m.login.password", "user": "alice", "password": "correct horse"}
    assert (await server.anonymous("POST", "/_matrix/client/r0/login", body)).ok()["user_id"] == "@alice:hs1"


@pytest.mark.parametrize(
    ("body", "status", "errcode"),
    [
        (password_login("alice", "wrong"), 403, "M_FORBIDDEN"),
        (password_login("nobody"), 403, "M_FORBIDDEN"),
        (password_login("@alice:elsewhere"), 403, "M_FORBIDDEN"),
        (password_login("nul\0"), 403, "M_FORBIDDEN"),
        (password_login("alice", "x" * 10_000), 403, "M_FORBIDDEN"),
        ({"type": "m.login.password", "password": "x"}, 400, "M_MISSING_PARAM"),
        ({"type": "m.login.password", "identifier": {"type": "m.id.user"}, "password": "x"}, 400, "M_MISSING_PARAM"),
        ({"type": "m.login.password", "identifier": {"type": "m.id.fax"}, "password": "x"}, 400, "M_UNKNOWN"),
        (
            {
                "type": "m.login.password",
                "identifier": {"type": "m.id.thirdparty", "medium": "email", "address": "a@b"},
                "password": "x",
            },
            403,
            "M_FORBIDDEN",
        ),
        ({"type": "m.login.password", "user": "alice"}, 400, "M_MISSING_PARAM"),
        ({"type": "m.login.password", "user": 5, "password": "x"}, 400, "M_BAD_JSON"),
        ({"type": "m.login.fancy"}, 400, "M_UNKNOWN"),
        ({}, 400, "M_MISSING_PARAM"),
        ({"type": "m.login.token", "token": "guess"}, 403, "M_FORBIDDEN"),
        ({"type": "m.login.token"}, 400, "M_MISSING_PARAM"),
        (password_login("alice", device_id=""), 400, "M_INVALID_PARAM"),
        (password_login("alice", device_id="d" * 256), 400, "M_INVALID_PARAM"),
        (password_login("alice", initial_device_display_name="n" * 101), 400, "M_INVALID_PARAM"),
        (password_login("alice", initial_device_display_name="\0"), 400, "M_INVALID_PARAM"),
    ],
)
async def test_refusals(server: TestServer, body: dict[str, object], status: int, errcode: str) -> None:
    await server.register("alice")
    (await server.anonymous("POST", "login", body)).error(status, errcode)


async def test_a_device_that_signs_in_again_keeps_its_name_and_loses_its_old_session(
    server_on_each: TestServer,
) -> None:
    await server_on_each.register("alice")
    first = await server_on_each.login("alice", device_id="TV", initial_device_display_name="Telly")
    await first.get("account/whoami")
    second = await server_on_each.login("alice", device_id="TV", initial_device_display_name="Other")
    (await first("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
    assert (await second.get("devices/TV"))["display_name"] == "Telly"


async def test_tokens_tell_a_proxy_the_users_shard(server: TestServer) -> None:
    alice = await server.register("alice")
    again = await server.login("alice")
    prefix, tag, random = alice.token.split("_")
    assert (prefix, tag) == ("myt", shard_tag("@alice:hs1"))
    assert len(tag) == 4
    assert len(random) >= 32
    assert again.token.split("_")[:2] == [prefix, tag]


async def test_unknown_names_take_as_long_as_wrong_passwords(server: TestServer, monkeypatch: object) -> None:
    from argon2 import PasswordHasher

    await server.register("alice")
    verified: list[str] = []
    original = PasswordHasher.verify

    def counting(self: PasswordHasher, hashed: str, password: str) -> bool:
        verified.append(hashed.rpartition("$")[0].rpartition("$")[0])
        return original(self, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", counting)  # type: ignore[attr-defined]
    for name in ("alice", "nobody", "@x:elsewhere"):
        (await server.anonymous("POST", "login", password_login(name, "wrong"))).error(403, "M_FORBIDDEN")
    assert len(verified) == 3
    assert len(set(verified)) == 1, "the same parameters for all"


async def test_a_login_token_works_once(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    path = "/_matrix/client/v1/login/get_token"
    begun = await alice("POST", path, {})
    assert begun.status == 401
    assert begun.json["flows"] == [{"stages": ["m.login.password"]}]
    auth = {"type": "m.login.password", "password": "correct horse", "session": begun.json["session"]}
    auth["identifier"] = {"type": "m.id.user", "user": "alice"}
    made = await alice.post(path, {"auth": auth})
    assert made["expires_in_ms"] == 120_000
    body = {"type": "m.login.token", "token": made["login_token"]}
    answers = await asyncio.gather(*(server_on_each.anonymous("POST", "login", body) for _ in range(4)))
    assert sorted(a.status for a in answers) == [200, 403, 403, 403]


async def test_a_login_token_expires(server_at: TestServer, clock: HeldClock) -> None:
    alice = await server_at.register("alice")
    auth = {"type": "m.login.password", "password": "correct horse"}
    made = await alice.post("/_matrix/client/v1/login/get_token", {"auth": auth})
    clock.pass_ms(120_000)
    body = {"type": "m.login.token", "token": made["login_token"]}
    (await server_at.anonymous("POST", "login", body)).error(403, "M_FORBIDDEN")


async def test_logout_ends_one_session_and_its_device(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    phone = await server_on_each.login("alice")
    assert await phone.post("logout") == {}
    error = (await phone("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
    assert error["soft_logout"] is False
    assert [d["device_id"] for d in (await alice.get("devices"))["devices"]] == [alice.device_id]


async def test_logout_all_ends_every_session(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    phone = await server_on_each.login("alice")
    bob = await server_on_each.register("bob")
    for client in (alice, phone, bob):
        await client.get("account/whoami")
    await phone.post("logout/all")
    for client in (alice, phone):
        (await client("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
    await bob.get("account/whoami")


async def test_tokens_in_the_query_and_malformed_headers(server: TestServer) -> None:
    alice = await server.register("alice")
    assert (await server.anonymous.get("account/whoami", access_token=alice.token))["user_id"] == "@alice:hs1"
    for header in ("Basic x", "Bearer", "Bearer ", ""):
        url = f"{server.base}/_matrix/client/v3/account/whoami"
        async with server.session.get(url, headers={"Authorization": header}) as response:
            assert (response.status, (await response.json())["errcode"]) == (401, "M_MISSING_TOKEN"), header
    (await as_client(server, "myt_abcd_guess")("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")


async def test_login_attempts_are_limited_by_account_and_failures(tmp_path: Path) -> None:
    limits = RateLimits(login_failed=Bucket(per_second=0.001, burst=2), login_address=Bucket(per_second=9, burst=99))
    async with running_server(make_config(tmp_path, rate_limits=limits)) as server:
        await server.register("alice")
        for _ in range(4):
            await server.login("alice")
        for _ in range(2):
            (await server.anonymous("POST", "login", password_login("alice", "wrong"))).error(403, "M_FORBIDDEN")
        (await server.anonymous("POST", "login", password_login("alice", "wrong"))).error(429, "M_LIMIT_EXCEEDED")
        (await server.anonymous("POST", "login", password_login("ALICE"))).error(429, "M_LIMIT_EXCEEDED")


@pytest.mark.parametrize("bucket", ["login_address", "login_account"])
async def test_login_buckets(tmp_path: Path, bucket: str) -> None:
    limits = RateLimits(**{bucket: Bucket(per_second=0.001, burst=2)})
    async with running_server(make_config(tmp_path, rate_limits=limits)) as server:
        await server.register("alice")
        for _ in range(2):
            await server.login("alice")
        (await server.anonymous("POST", "login", password_login("alice"))).error(429, "M_LIMIT_EXCEEDED")


async def refreshable(server: TestServer) -> dict[str, str]:
    """A session with a refresh token."""
    await server.register("alice")
    made: dict[str, str] = (
        await server.anonymous("POST", "login", password_login("alice", refresh_token=True, device_id="D"))
    ).ok()
    return made


async def refresh(server: TestServer, token: str) -> dict[str, str]:
    """A new pair."""
    pair: dict[str, str] = await server.anonymous.post("refresh", {"refresh_token": token})
    return pair


async def test_a_refresh_gives_a_new_pair_and_its_first_use_ends_the_old_one(server_on_each: TestServer) -> None:
    server = server_on_each
    first = await refreshable(server)
    assert first["expires_in_ms"] == 300_000
    assert first["refresh_token"].startswith("myr_")
    await as_client(server, first["access_token"]).get("account/whoami")
    second = await refresh(server, first["refresh_token"])
    # Until the new pair is used, nothing is lost if the answer was.
    await as_client(server, first["access_token"]).get("account/whoami")
    third = await refresh(server, first["refresh_token"])
    (await as_client(server, second["access_token"])("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
    assert (await as_client(server, third["access_token"]).get("account/whoami"))["device_id"] == "D"
    for token in (first["access_token"], second["access_token"]):
        (await as_client(server, token)("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
    for token in (first["refresh_token"], second["refresh_token"]):
        body = {"refresh_token": token}
        (await server.anonymous("POST", "refresh", body)).error(401, "M_UNKNOWN_TOKEN")
    # Using the new refresh token counts as use of the new pair.
    fourth = await refresh(server, (await refresh(server, third["refresh_token"]))["refresh_token"])
    body = {"refresh_token": third["refresh_token"]}
    (await server.anonymous("POST", "refresh", body)).error(401, "M_UNKNOWN_TOKEN")
    await as_client(server, fourth["access_token"]).get("account/whoami")


async def test_many_requests_at_once_with_a_new_token_all_succeed(server_on_each: TestServer) -> None:
    first = await refreshable(server_on_each)
    pairs = await asyncio.gather(*(refresh(server_on_each, first["refresh_token"]) for _ in range(3)))
    alive = []
    for pair in pairs:
        client = as_client(server_on_each, pair["access_token"])
        answers = await asyncio.gather(*(client("GET", "account/whoami") for _ in range(4)))
        assert len({a.status for a in answers}) == 1
        alive += [answers[0].status]
    assert alive.count(200) == 1, "one of the pairs wins"


async def test_an_expired_access_token_asks_for_a_soft_logout(server_at: TestServer, clock: HeldClock) -> None:
    first = await refreshable(server_at)
    client = as_client(server_at, first["access_token"])
    clock.pass_ms(299_999)
    await client.get("account/whoami")
    clock.pass_ms(1)
    assert (await client("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")["soft_logout"] is True
    second = await refresh(server_at, first["refresh_token"])
    await as_client(server_at, second["access_token"]).get("account/whoami")


async def test_a_refresh_token_expires_too(tmp_path: Path, clock: HeldClock) -> None:
    sessions = Sessions(refresh_token_lifetime_ms=600_000)
    async with running_server(make_config(tmp_path, sessions=sessions), clock) as server:
        first = await refreshable(server)
        clock.pass_ms(600_000)
        answer = await server.anonymous("POST", "refresh", {"refresh_token": first["refresh_token"]})
        assert answer.error(401, "M_UNKNOWN_TOKEN")["soft_logout"] is True


async def test_a_refresh_token_dies_with_its_device(server: TestServer) -> None:
    first = await refreshable(server)
    await as_client(server, first["access_token"]).post("logout")
    answer = await server.anonymous("POST", "refresh", {"refresh_token": first["refresh_token"]})
    assert answer.error(401, "M_UNKNOWN_TOKEN")["soft_logout"] is False
    (await server.anonymous("POST", "refresh", {})).error(400, "M_MISSING_PARAM")


async def test_access_tokens_without_refresh_may_expire(tmp_path: Path, clock: HeldClock) -> None:
    sessions = Sessions(access_token_lifetime_ms=60_000)
    async with running_server(make_config(tmp_path, sessions=sessions), clock) as server:
        alice = await server.register("alice")
        clock.pass_ms(60_000)
        assert (await alice("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")["soft_logout"] is True
