"""Accounts: those that ended, are locked, or are another's open nothing; passwords are nowhere to be read."""

from pathlib import Path
from typing import Any

import pytest

from inprocess import Client, TestServer
from myelin.services.accounts.accounts import AccountService
from myelin.telemetry.exposition import Exposition

PASSWORD = "correct horse"


async def ended(server: TestServer, **options: Any) -> tuple[Client, dict[str, Any]]:
    """A user who deactivated the account, and the tokens they had."""
    alice = await server.register("alice")
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": PASSWORD}
    login = (await alice("POST", "login", {**body, "refresh_token": True})).ok()
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": PASSWORD}
    confirmed = await alice("POST", "/_matrix/client/v1/login/get_token", {"auth": auth})
    login["login_token"] = confirmed.ok()["login_token"]
    await alice.post("account/deactivate", {"auth": auth, **options})
    return alice, {**login, "login": body}


async def test_s_cve_2023_32682_a_deactivated_user_can_sign_in(server: TestServer) -> None:
    alice, had = await ended(server)
    assert (await server.anonymous("POST", "login", had["login"])).status == 403
    token = {"type": "m.login.token", "token": had["login_token"]}
    assert (await server.anonymous("POST", "login", token)).status == 403
    refresh = {"refresh_token": had["refresh_token"]}
    (await server.anonymous("POST", "refresh", refresh)).error(401, "M_UNKNOWN_TOKEN")
    for access_token in (alice.token, had["access_token"]):
        alice.token = access_token
        (await alice("GET", "sync")).error(401, "M_UNKNOWN_TOKEN")
        (await alice("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")


async def test_a_deactivated_name_is_not_taken_over(server: TestServer) -> None:
    await ended(server)
    for name in ("alice", "ALICE", "@alice:hs1"):
        body = {"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
        assert (await server.anonymous("POST", "register", body)).status == 400


async def test_a_locked_users_tokens_open_nothing_but_the_way_out(server: TestServer) -> None:
    alice, admin = await server.register("alice"), await server.register("warden")
    accounts: AccountService = server.app.services[AccountService]
    await accounts.set_admin(admin.user_id, is_admin=True)
    room = await alice.create_room()
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": PASSWORD}
    refresh = (await server.anonymous("POST", "login", {**login, "refresh_token": True})).ok()
    await accounts.lock(admin.user_id, alice.user_id, locked=True)
    for method, path, body in (
        ("GET", "sync", None),
        ("GET", "account/whoami", None),
        ("GET", f"rooms/{room}/messages?dir=b", None),
        ("PUT", f"rooms/{room}/send/m.room.message/1", {"body": "x"}),
        ("GET", "/_matrix/client/v1/media/config", None),
        ("POST", "keys/upload", {}),
        ("GET", "/_matrix/client/v1/media/preview_url?url=http://a.example/", None),
    ):
        answer = await alice(method, path, body)
        assert answer.error(401, "M_USER_LOCKED")["soft_logout"] is True
    (await server.anonymous("POST", "login", login)).error(401, "M_USER_LOCKED")
    renewed = await server.anonymous("POST", "refresh", {"refresh_token": refresh["refresh_token"]})
    if renewed.status == 200:  # a new token of a locked account is as locked as the old one
        alice.token = renewed.json["access_token"]
        (await alice("GET", "sync")).error(401, "M_USER_LOCKED")
    await accounts.lock(admin.user_id, alice.user_id, locked=False)
    assert (await server.login("alice")).user_id == alice.user_id


SENSITIVE = [
    ("POST", "account/password", {"new_password": "an other horse"}),
    ("POST", "account/deactivate", {}),
    ("DELETE", "devices/{device}", {}),
    ("POST", "delete_devices", {"devices": ["{device}"]}),
    ("POST", "account/3pid/add", {"client_secret": "s", "sid": "1"}),
    ("POST", "/_matrix/client/v1/login/get_token", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), SENSITIVE, ids=lambda v: v if isinstance(v, str) else "")
async def test_m_cve_2025_62425_a_wrong_current_password_accepted_for_sensitive_acts(
    server: TestServer, alice: Client, mallory: Client, method: str, path: str, body: dict[str, Any]
) -> None:
    path = path.format(device=alice.device_id)
    for auth in (
        {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": "wrong"},
        {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "mallory"}, "password": PASSWORD},
        {"type": "m.login.password", "password": ""},
        {"type": "m.login.dummy"},
        {"type": "m.login.sso"},
        {"session": "made-up"},
        {},
    ):
        answer = await alice(method, path, {**body, "auth": auth})
        assert answer.status in (400, 401, 403), (auth, answer.json)
    assert (await alice.get("account/whoami"))["device_id"] == alice.device_id
    await server.login("alice")


async def test_t_1_9_0_uia_bypass_by_a_session_of_something_else(
    server: TestServer, alice: Client, mallory: Client
) -> None:
    other = await server.login("alice")
    begun = await alice("POST", "delete_devices", {"devices": [other.device_id]})
    session = begun.json["session"]
    auth = {"type": "m.login.password", "password": PASSWORD, "session": session,
            "identifier": {"type": "m.id.user", "user": "alice"}}  # fmt: skip
    (await alice("POST", "account/deactivate", {"auth": auth})).error(403, "M_FORBIDDEN")
    (await mallory("POST", "delete_devices", {"devices": [other.device_id], "auth": auth})).error(403, "M_FORBIDDEN")
    (await alice("POST", "delete_devices", {"devices": [other.device_id], "auth": auth})).ok()
    again = await server.login("alice")
    (await alice("POST", "delete_devices", {"devices": [again.device_id], "auth": auth})).error(401, "M_FORBIDDEN")


async def test_s_cve_2023_41335_a_plain_password_stored_in_the_database(server: TestServer, tmp_path: Path) -> None:
    marked, later = "a-very-plain-password", "another-plain-password"
    alice = await server.register("alice", marked)
    await server.login("alice", marked)
    first = await alice("POST", "account/password", {"new_password": later})
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": marked}
    begun = {"new_password": later, "auth": {**auth, "session": first.json["session"]}}
    (await alice("POST", "account/password", begun)).ok()
    await server.anonymous("POST", "register", {"username": "bob", "password": marked})
    await server.app.ground.committer.drain()
    for path, data in written(tmp_path):
        for secret in (marked, later, alice.token):
            assert secret.encode() not in data, path


def written(folder: Path) -> list[tuple[Path, bytes]]:
    """All that is on the disk."""
    return [(path, path.read_bytes()) for path in folder.rglob("*") if path.is_file()]


async def test_hookshot_ghsa_5c49_secrets_in_metrics(server: TestServer, alice: Client) -> None:
    await alice("GET", f"sync?access_token={alice.token}")
    await alice("GET", f"/_matrix/client/v3/{alice.token}/x")
    await server.anonymous("GET", "sync", access_token="made-up-secret-token")
    shown = Exposition(server.app.ground.figures).render()
    assert alice.token.encode() not in shown
    assert b"made-up-secret-token" not in shown
    assert b"@alice" not in shown
