"""Passwords, the end of accounts, locks and suspension, over HTTP."""

import pytest

from inprocess import TestServer
from myelin.services.accounts.accounts import AccountService
from myelin.services.accounts.ports import DeactivationListeners

PASSWORD = {"type": "m.login.password", "password": "correct horse"}


async def test_a_new_password_signs_out_the_other_devices(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    phone = await server_on_each.login("alice")
    await phone.get("account/whoami")
    (await alice("POST", "account/password", {"new_password": "battery staple"})).error(401, None)  # type: ignore[arg-type]
    assert await alice.post("account/password", {"new_password": "battery staple", "auth": PASSWORD}) == {}
    await alice.get("account/whoami")
    (await phone("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
    await server_on_each.login("alice", "battery staple")
    with pytest.raises(AssertionError):
        await server_on_each.login("alice", "correct horse")


async def test_a_new_password_may_leave_the_other_devices(server: TestServer) -> None:
    alice = await server.register("alice")
    phone = await server.login("alice")
    body = {"new_password": "battery staple", "logout_devices": False, "auth": PASSWORD}
    await alice.post("account/password", body)
    await phone.get("account/whoami")
    (await alice("POST", "account/password", {"auth": {**PASSWORD, "password": "battery staple"}})).error(
        400, "M_MISSING_PARAM"
    )


async def test_a_deactivated_account_is_gone_but_its_name_stays_taken(server_on_each: TestServer) -> None:
    heard: list[tuple[str, bool]] = []

    class Listener:
        async def deactivated(self, user_id: str, *, is_erased: bool) -> None:
            heard.append((user_id, is_erased))

    server_on_each.app.services[DeactivationListeners].append(Listener())
    alice = await server_on_each.register("alice")
    phone = await server_on_each.login("alice", refresh_token=True)
    await alice.put("profile/@alice:hs1/displayname", {"displayname": "Alice"})
    await phone.get("account/whoami")
    answer = await alice.post("account/deactivate", {"erase": True, "auth": PASSWORD})
    assert answer == {"id_server_unbind_result": "success"}
    assert heard == [("@alice:hs1", True)]
    for client in (alice, phone):
        (await client("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
    body = {"type": "m.login.password", "user": "alice", "password": "correct horse"}
    (await server_on_each.anonymous("POST", "login", body)).error(403, "M_FORBIDDEN")
    (await server_on_each.anonymous("GET", "profile/@alice:hs1")).error(404, "M_NOT_FOUND")
    again = {"username": "alice", "password": "correct horse", "auth": {"type": "m.login.dummy"}}
    (await server_on_each.anonymous("POST", "register", again)).error(400, "M_USER_IN_USE")


async def test_deactivation_needs_the_password(server: TestServer) -> None:
    alice = await server.register("alice")
    (await alice("POST", "account/deactivate")).error(401, None)  # type: ignore[arg-type]
    await alice.get("account/whoami")
    (await server.anonymous("POST", "account/deactivate", {})).error(401, "M_MISSING_TOKEN")


async def test_a_locked_account_can_only_sign_out(server_on_each: TestServer) -> None:
    server = server_on_each
    admin = await server.register("boss")
    alice = await server.register("alice")
    phone = await server.login("alice")
    path = "/_matrix/client/v1/admin/lock/@alice:hs1"
    (await admin("PUT", path, {"locked": True})).error(403, "M_FORBIDDEN")
    await server.app.services[AccountService].set_admin("@boss:hs1", is_admin=True)
    await alice.get("account/whoami")
    assert await admin.put(path, {"locked": True}) == {"locked": True}
    assert await admin.get(path) == {"locked": True}
    assert (await alice("GET", "account/whoami")).error(401, "M_USER_LOCKED")["soft_logout"] is True
    body = {"type": "m.login.password", "user": "alice", "password": "correct horse"}
    assert (await server.anonymous("POST", "login", body)).error(401, "M_USER_LOCKED")["soft_logout"] is True
    await phone.post("logout")
    (await phone("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
    await admin.put(path, {"locked": False})
    await alice.get("account/whoami")


async def test_a_suspended_account_reads_but_does_not_change_its_profile(server: TestServer) -> None:
    admin = await server.register("boss")
    alice = await server.register("alice")
    await server.app.services[AccountService].set_admin("@boss:hs1", is_admin=True)
    path = "/_matrix/client/v1/admin/suspend/@alice:hs1"
    assert await admin.get(path) == {"suspended": False}
    assert await admin.put(path, {"suspended": True}) == {"suspended": True}
    name = "profile/@alice:hs1/displayname"
    (await alice("PUT", name, {"displayname": "x"})).error(403, "M_USER_SUSPENDED")
    (await alice("DELETE", name)).error(403, "M_USER_SUSPENDED")
    await alice.get("account/whoami")
    await admin.put(path, {"suspended": False})
    await alice.put(name, {"displayname": "x"})


async def test_whom_administrators_cannot_moderate(server: TestServer) -> None:
    admin = await server.register("boss")
    await server.register("chief")
    for name in ("@boss:hs1", "@chief:hs1"):
        await server.app.services[AccountService].set_admin(name, is_admin=True)
    base = "/_matrix/client/v1/admin"
    for kind, body in (("lock", {"locked": True}), ("suspend", {"suspended": True})):
        (await admin("PUT", f"{base}/{kind}/@boss:hs1", body)).error(403, "M_FORBIDDEN")
        (await admin("PUT", f"{base}/{kind}/@chief:hs1", body)).error(403, "M_FORBIDDEN")
        (await admin("GET", f"{base}/{kind}/@chief:hs1")).error(403, "M_FORBIDDEN")
        (await admin("GET", f"{base}/{kind}/@nobody:hs1")).error(404, "M_NOT_FOUND")
        (await admin("PUT", f"{base}/{kind}/@alice:elsewhere", body)).error(400, "M_INVALID_PARAM")
        (await admin("PUT", f"{base}/{kind}/nonsense", body)).error(400, "M_INVALID_PARAM")
        (await admin("PUT", f"{base}/{kind}/@nobody:hs1", {})).error(400, "M_MISSING_PARAM")


async def test_whois(server: TestServer) -> None:
    alice = await server.register("alice", device_id="ONE")
    bob = await server.register("bob")
    shown = await alice.get("admin/whois/@alice:hs1")
    assert shown["user_id"] == "@alice:hs1"
    connection = shown["devices"]["ONE"]["sessions"][0]["connections"][0]
    assert connection["ip"] == "127.0.0.1"
    assert "aiohttp" in connection["user_agent"]
    (await bob("GET", "admin/whois/@alice:hs1")).error(403, "M_FORBIDDEN")
    await server.app.services[AccountService].set_admin("@bob:hs1", is_admin=True)
    assert (await bob.get("admin/whois/@alice:hs1"))["devices"].keys() == {"ONE"}


async def test_there_are_no_third_party_identifiers(server: TestServer) -> None:
    alice = await server.register("alice")
    assert await alice.get("account/3pid") == {"threepids": []}


async def test_an_openid_token_names_its_user_until_it_expires(server: TestServer) -> None:
    from myelin.services.accounts.openid import OpenIdService

    alice = await server.register("alice")
    made = await alice.post("user/@alice:hs1/openid/request_token")
    assert (made["token_type"], made["expires_in"], made["matrix_server_name"]) == ("Bearer", 3600, "hs1")
    openid: OpenIdService = server.app.services[OpenIdService]
    assert await openid.user_id(made["access_token"]) == "@alice:hs1"
    assert await openid.user_id(alice.token) is None
    (await alice("POST", "user/@bob:hs1/openid/request_token", {})).error(403, "M_FORBIDDEN")
