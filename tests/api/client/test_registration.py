"""Registration over HTTP."""

import asyncio
from pathlib import Path

import pytest

from held_clock import HeldClock
from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.accounts import Passwords, Registration
from myelin.config.sections.rate_limits import Bucket, RateLimits
from myelin.services.accounts.registration_tokens import RegistrationTokens

DUMMY = {"type": "m.login.dummy"}


async def test_registers_in_one_request_and_logs_in(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    assert await alice.get("account/whoami") == {"user_id": "@alice:hs1", "device_id": alice.device_id}
    phone = await server_on_each.login("Alice", device_id="PHONE")
    assert await phone.get("account/whoami") == {"user_id": "@alice:hs1", "device_id": "PHONE"}
    (await server_on_each.anonymous("GET", "account/whoami")).error(401, "M_MISSING_TOKEN")


async def test_a_new_user_may_be_called_like_the_user_name(tmp_path: Path, database_url: str) -> None:
    registration = Registration(mode="open", guests=True, display_name_from_username=True)
    async with running_server(make_config(tmp_path, database_url, registration=registration)) as server:
        alice = await server.register("alice")
        assert await alice.get(f"profile/{alice.user_id}") == {"displayname": "alice"}
        await alice.put(f"profile/{alice.user_id}/displayname", {"displayname": "Alice"})
        assert await alice.get(f"profile/{alice.user_id}") == {"displayname": "Alice"}


async def test_flows_come_first_then_the_same_request_with_auth_makes_the_account(server_on_each: TestServer) -> None:
    ask = server_on_each.anonymous
    body = {"username": "alice", "password": "correct horse", "device_id": "D", "initial_device_display_name": "Pad"}
    begun = await ask("POST", "register", body)
    assert begun.status == 401
    assert begun.json["flows"] == [{"stages": ["m.login.dummy"]}]
    assert begun.json.keys() == {"session", "flows", "params", "completed"}
    auth = {**DUMMY, "session": begun.json["session"]}
    made = (await ask("POST", "register", {**body, "auth": auth})).ok()
    assert (made["user_id"], made["device_id"]) == ("@alice:hs1", "D")
    assert made["access_token"].startswith("myt_")
    assert "refresh_token" not in made
    # What was completed once opens nothing else.
    (await ask("POST", "register", {"username": "bob", "password": "x", "auth": auth})).error(401, "M_FORBIDDEN")


async def test_a_session_lets_only_its_own_request_through(server: TestServer) -> None:
    ask = server.anonymous
    begun = await ask("POST", "register", {"username": "alice", "password": "correct horse"})
    auth = {**DUMMY, "session": begun.json["session"]}
    other = {"username": "mallory", "password": "correct horse", "auth": auth}
    (await ask("POST", "register", other)).error(403, "M_FORBIDDEN")
    alice = await server.register("alice2")
    (await alice("POST", "delete_devices", {"devices": [], "auth": auth})).error(403, "M_FORBIDDEN")
    stolen = {"type": "m.login.password", "password": "correct horse", "session": begun.json["session"]}
    (await alice("POST", "delete_devices", {"devices": [], "auth": stolen})).error(403, "M_FORBIDDEN")


async def test_a_client_may_probe_for_the_flows_before_it_knows_the_name(server: TestServer) -> None:
    ask = server.anonymous
    begun = await ask("POST", "register", {})
    auth = {**DUMMY, "session": begun.json["session"]}
    (await ask("POST", "register", {"username": "alice", "password": "correct horse", "auth": auth})).ok()


async def test_passwords_of_unfinished_registrations_are_not_stored(server: TestServer) -> None:
    await server.anonymous("POST", "register", {"username": "alice", "password": "kept by nobody"})
    database = server.app.ground.database
    text = "".join(database.writer.iterdump())  # type: ignore[attr-defined]
    assert "alice" in text
    assert "kept by nobody" not in text


async def test_tokens_and_passwords_are_stored_as_hashes_only(server: TestServer) -> None:
    alice = await server.register("alice", refresh_token=True)
    text = "".join(server.app.ground.database.writer.iterdump())  # type: ignore[attr-defined]
    assert "$argon2id$" in text
    assert "correct horse" not in text
    assert alice.token not in text


async def test_one_name_is_given_once_however_many_ask(server_on_each: TestServer) -> None:
    body = {"username": "alice", "password": "correct horse", "auth": DUMMY}
    answers = await asyncio.gather(*(server_on_each.anonymous("POST", "register", body) for _ in range(8)))
    assert sorted(a.status for a in answers) == [200] + [400] * 7
    assert {a.json["errcode"] for a in answers if a.status == 400} == {"M_USER_IN_USE"}


@pytest.mark.parametrize("name", ["", "two words", "emoji😀", "a:b", "x" * 252, "@bob:elsewhere", "nul\0"])
async def test_names_outside_the_grammar_are_refused(server: TestServer, name: str) -> None:
    answer = await server.anonymous("POST", "register", {"username": name, "password": "correct horse", "auth": DUMMY})
    answer.error(400, "M_INVALID_USERNAME")


async def test_names_are_lower_cased_and_the_longest_fits(server: TestServer) -> None:
    assert (await server.register("ALICE")).user_id == "@alice:hs1"
    longest = "x" * (255 - len("@:hs1"))
    assert (await server.register(longest)).user_id == f"@{longest}:hs1"


async def test_a_name_is_made_up_where_none_is_given(server: TestServer) -> None:
    made = (await server.anonymous("POST", "register", {"password": "correct horse", "auth": DUMMY})).ok()
    assert made["user_id"].endswith(":hs1")


async def test_inhibit_login_gives_no_session(server: TestServer) -> None:
    body = {"username": "alice", "password": "correct horse", "inhibit_login": True, "auth": DUMMY}
    made = (await server.anonymous("POST", "register", body)).ok()
    assert made == {"user_id": "@alice:hs1", "home_server": "hs1"}


async def test_availability(server: TestServer) -> None:
    await server.register("alice")
    ask = server.anonymous
    assert await ask.get("register/available", username="bob") == {"available": True}
    (await ask("GET", "register/available", username="alice")).error(400, "M_USER_IN_USE")
    (await ask("GET", "register/available", username="root")).error(400, "M_USER_IN_USE")
    (await ask("GET", "register/available", username="a b")).error(400, "M_INVALID_USERNAME")
    (await ask("GET", "register/available")).error(400, "M_MISSING_PARAM")


@pytest.mark.parametrize(
    ("password", "errcode"), [("short", "M_WEAK_PASSWORD"), ("password", "M_WEAK_PASSWORD"), ("x" * 513, None)]
)
async def test_weak_and_oversized_passwords_are_refused(tmp_path: Path, password: str, errcode: str | None) -> None:
    config = make_config(tmp_path, passwords=Passwords(argon2_time_cost=1, argon2_memory_kib=8))
    async with running_server(config) as server:
        body = {"username": "alice", "password": password, "auth": DUMMY}
        (await server.anonymous("POST", "register", body)).error(400, errcode or "M_INVALID_PARAM")
        body["password"] = "a horse of a different colour"
        (await server.anonymous("POST", "register", body)).ok()


async def test_without_a_password_there_is_no_account(server: TestServer) -> None:
    answer = await server.anonymous("POST", "register", {"username": "alice", "auth": DUMMY})
    answer.error(400, "M_MISSING_PARAM")


async def test_closed_registration(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path, registration=Registration())) as server:
        body = {"username": "alice", "password": "correct horse", "auth": DUMMY}
        (await server.anonymous("POST", "register", body)).error(403, "M_FORBIDDEN")
        (await server.anonymous("POST", "register", body, kind="guest")).error(403, "M_GUEST_ACCESS_FORBIDDEN")
        path = "/_matrix/client/v1/register/m.login.registration_token/validity"
        (await server.anonymous("GET", path, token="x")).error(403, "M_FORBIDDEN")


async def test_guests_are_refused_unless_wanted(tmp_path: Path, server: TestServer) -> None:
    (await server.anonymous("POST", "register", {}, kind="guest")).error(403, "M_GUEST_ACCESS_FORBIDDEN")
    (await server.anonymous("POST", "register", {}, kind="robot")).error(400, "M_INVALID_PARAM")
    (tmp_path / "other").mkdir()
    config = make_config(tmp_path / "other", registration=Registration(mode="open", guests=True))
    async with running_server(config) as welcoming:
        body = {"device_id": "CHOSEN", "initial_device_display_name": "Visit"}
        made = (await welcoming.anonymous("POST", "register", body, kind="guest")).ok()
        assert made["device_id"] != "CHOSEN"
        guest = Client(welcoming.session, welcoming.base, made["access_token"], made["user_id"])
        assert (await guest.get("account/whoami"))["is_guest"] is True
        await guest.put(f"profile/{guest.user_id}/displayname", {"displayname": "Visitor"})
        (await guest("PUT", f"profile/{guest.user_id}/m.tz", {"m.tz": "UTC"})).error(403, "M_GUEST_ACCESS_FORBIDDEN")
        (await guest("POST", "account/password", {"new_password": "x"})).error(403, "M_GUEST_ACCESS_FORBIDDEN")


async def test_a_guest_registers_under_the_name_they_have(tmp_path: Path, database_url: str) -> None:
    config = make_config(tmp_path, database_url, registration=Registration(mode="open", guests=True))
    async with running_server(config) as server:
        made = (await server.anonymous("POST", "register", {}, kind="guest")).ok()
        name = made["user_id"][1:].partition(":")[0]
        guest = Client(server.session, server.base, made["access_token"], made["user_id"])
        await server.register("alice")
        body = {"password": "correct horse", "guest_access_token": guest.token, "auth": DUMMY}
        (await server.anonymous("POST", "register", body)).error(400, "M_MISSING_PARAM")
        (await server.anonymous("POST", "register", {**body, "username": "alice"})).error(403, "M_FORBIDDEN")
        wrong = {**body, "username": name, "guest_access_token": "x"}
        (await server.anonymous("POST", "register", wrong)).error(403, "M_FORBIDDEN")
        upgraded = (await server.anonymous("POST", "register", {**body, "username": name})).ok()
        assert upgraded["user_id"] == guest.user_id
        for token in (upgraded["access_token"], guest.token):
            client = Client(server.session, server.base, token, guest.user_id)
            assert "is_guest" not in await client.get("account/whoami")
        await server.login(name)
        (await server.anonymous("POST", "register", {**body, "username": name})).error(403, "M_FORBIDDEN")


async def test_a_guest_needs_a_token_to_register_where_others_do(tmp_path: Path) -> None:
    config = make_config(tmp_path, registration=Registration(mode="token", guests=True))
    async with running_server(config) as server:
        await server.app.services[RegistrationTokens].create("ticket", uses_allowed=1)
        for index, expected in enumerate((200, 401)):
            made = (await server.anonymous("POST", "register", {}, kind="guest")).ok()
            body = {
                "username": made["user_id"][1:].partition(":")[0],
                "password": "correct horse",
                "guest_access_token": made["access_token"],
            }
            (await server.anonymous("POST", "register", {**body, "auth": DUMMY})).error(400, "M_UNRECOGNIZED")
            auth = {"type": "m.login.registration_token", "token": "ticket"}
            answer = await server.anonymous("POST", "register", {**body, "auth": auth})
            assert answer.status == expected, index


async def test_a_registration_token_is_good_for_as_many_accounts_as_it_says(tmp_path: Path, database_url: str) -> None:
    config = make_config(tmp_path, database_url, registration=Registration(mode="token"))
    clock = HeldClock()
    async with running_server(config, clock) as server:
        ask = server.anonymous
        tokens: RegistrationTokens = server.app.services[RegistrationTokens]
        await tokens.create("welcome", uses_allowed=2, expires_ts=clock.ms + 1000)
        path = "/_matrix/client/v1/register/m.login.registration_token/validity"
        assert await ask.get(path, token="welcome") == {"valid": True}
        assert await ask.get(path, token="other") == {"valid": False}

        def body(name: str, token: str = "welcome") -> dict[str, object]:
            auth = {"type": "m.login.registration_token", "token": token}
            return {"username": name, "password": "correct horse", "auth": auth}

        begun = await ask("POST", "register", {"username": "x"})
        assert begun.json["flows"] == [{"stages": ["m.login.registration_token"]}]
        (await ask("POST", "register", body("alice", "guess"))).error(401, "M_FORBIDDEN")
        (await ask("POST", "register", {**body("alice"), "auth": DUMMY})).error(400, "M_UNRECOGNIZED")
        answers = await asyncio.gather(*(ask("POST", "register", body(f"user{i}")) for i in range(5)))
        assert sum(a.status == 200 for a in answers) == 2
        assert await ask.get(path, token="welcome") == {"valid": False}
        assert [t.completed for t in await tokens.tokens()] == [2]
        await tokens.change("welcome", uses_allowed=None, expires_ts=clock.ms + 1000)
        clock.pass_ms(1000)
        assert await ask.get(path, token="welcome") == {"valid": False}


async def test_accounts_from_one_address_are_limited(tmp_path: Path) -> None:
    limits = RateLimits(registration=Bucket(per_second=0.001, burst=2))
    async with running_server(make_config(tmp_path, rate_limits=limits)) as server:
        await server.register("one")
        await server.register("two")
        body = {"username": "three", "password": "correct horse", "auth": DUMMY}
        refused = await server.anonymous("POST", "register", body)
        assert refused.error(429, "M_LIMIT_EXCEEDED")["retry_after_ms"] > 0
        assert int(refused.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"username": 5}', b'{"auth": "x"}', b'{"auth": {"type": 5}}', b'{"auth": {"session": 5}}', b"null"],
)
async def test_a_malformed_body_is_the_clients_error(server: TestServer, body: bytes) -> None:
    answer = await server.anonymous("POST", "register", body)
    assert answer.status in (400, 401), answer.json


async def test_an_authentication_session_expires(server_at: TestServer, clock: HeldClock) -> None:
    body = {"username": "alice", "password": "correct horse"}
    begun = await server_at.anonymous("POST", "register", body)
    clock.pass_ms(server_at.app.ground.config.sessions.uia_session_lifetime_ms)
    late = await server_at.anonymous("POST", "register", {**body, "auth": {**DUMMY, "session": begun.json["session"]}})
    late.error(401, "M_FORBIDDEN")
    assert late.json["session"] != begun.json["session"]
