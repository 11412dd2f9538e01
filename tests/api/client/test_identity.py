"""Addresses on identity servers: published, taken back, and never where the configuration forbids."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from identity_server import TOKEN, IdentityServer, identity_server
from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.identity import Identity
from myelin.services.accounts.accounts import AccountService
from myelin.services.identity.identity_servers import MAX_ANSWER_BYTES

ADDRESS = {"medium": "email", "address": "alice@example.org"}
SECRET = "s3cret"


@pytest.fixture
async def identity(tmp_path: Path) -> AsyncIterator[IdentityServer]:
    async with identity_server(tmp_path) as made:
        made.validated["sid1"] = "email", "alice@example.org"
        yield made


@pytest.fixture
async def server(tmp_path: Path, identity: IdentityServer) -> AsyncIterator[TestServer]:
    async with running_server(make_config(tmp_path, identity=identity.config())) as running:
        yield running


def bind_body(identity: IdentityServer, **changes: Any) -> dict[str, Any]:
    return {"client_secret": SECRET, "sid": "sid1", **identity.where, **changes}


async def bind(client: Client, identity: IdentityServer) -> None:
    assert await client.post("account/3pid/bind", bind_body(identity)) == {}


class TestPublishing:
    async def test_an_address_is_published_by_the_identity_server(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        alice = await server.register("alice")
        await bind(alice, identity)
        assert identity.bound == {("email", "alice@example.org"): alice.user_id}
        assert identity.seen[-1][2] == {"sid": "sid1", "client_secret": SECRET, "mxid": alice.user_id}
        assert identity.authorizations[-1] == f"Bearer {TOKEN}"
        assert await alice.get("account/3pid") == {"threepids": []}, "it was published, not added to the account"

    async def test_the_old_endpoint_does_the_same(self, server: TestServer, identity: IdentityServer) -> None:
        alice = await server.register("alice")
        await alice.post("account/3pid", {"three_pid_creds": bind_body(identity)})
        assert identity.bound == {("email", "alice@example.org"): alice.user_id}

    async def test_what_the_identity_server_says_is_passed_on(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        alice = await server.register("alice")
        answer = await alice("POST", "account/3pid/bind", bind_body(identity, sid="other"))
        assert "No such session" in answer.error(404, "M_NO_VALID_SESSION")["error"]

    async def test_a_client_is_never_told_that_its_own_session_is_over(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        alice = await server.register("alice")
        answer = await alice("POST", "account/3pid/bind", bind_body(identity, id_access_token="wrong"))
        answer.error(403, "M_FORBIDDEN")
        identity.replaced["/bind"] = lambda: (401, {"errcode": "M_UNKNOWN_TOKEN", "error": "x", "soft_logout": True})
        answer = await alice("POST", "account/3pid/bind", bind_body(identity))
        assert set(answer.error(403, "M_FORBIDDEN")) == {"errcode", "error"}

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"not JSON",
            b"[]",
            b"{}",
            b'{"medium":"email","address":5}',
            b'{"medium":"pigeon","address":"a@example.org"}',
            b'"' + b"x" * MAX_ANSWER_BYTES + b'"',
        ],
    )
    async def test_answers_that_make_no_sense(
        self, server: TestServer, identity: IdentityServer, answer: bytes
    ) -> None:
        alice = await server.register("alice")
        identity.replaced["/bind"] = answer
        (await alice("POST", "account/3pid/bind", bind_body(identity))).error(502, "M_UNKNOWN")

    async def test_errors_of_others_are_cut_down(self, server: TestServer, identity: IdentityServer) -> None:
        alice = await server.register("alice")
        identity.replaced["/bind"] = lambda: (400, {"errcode": "<b>", "error": "x" * 100_000})
        answer = await alice("POST", "account/3pid/bind", bind_body(identity))
        assert len(answer.error(400, "M_FORBIDDEN")["error"]) < 300
        identity.replaced["/bind"] = lambda: (500, {"errcode": "M_UNKNOWN", "error": "\x1b[31m"})
        assert (
            "\x1b"
            not in (await alice("POST", "account/3pid/bind", bind_body(identity))).error(502, "M_UNKNOWN")["error"]
        )

    @pytest.mark.parametrize("name", ["", "https://id.example.org", "id.example.org/x", "a b", "user@id.example.org"])
    async def test_what_is_no_server_is_not_asked(
        self, server: TestServer, identity: IdentityServer, name: str
    ) -> None:
        alice = await server.register("alice")
        (await alice("POST", "account/3pid/bind", bind_body(identity, id_server=name))).error(400, "M_INVALID_PARAM")

    async def test_a_header_cannot_be_smuggled_in(self, server: TestServer, identity: IdentityServer) -> None:
        alice = await server.register("alice")
        body = bind_body(identity, id_access_token="x\r\nX-Other: 1")
        (await alice("POST", "account/3pid/bind", body)).error(400, "M_INVALID_PARAM")
        assert identity.seen == []


class TestTakingBack:
    @pytest.mark.parametrize("path", ["account/3pid/delete", "account/3pid/unbind"])
    async def test_from_where_it_was_published(self, server: TestServer, identity: IdentityServer, path: str) -> None:
        alice = await server.register("alice")
        await bind(alice, identity)
        assert await alice.post(path, ADDRESS) == {"id_server_unbind_result": "success"}
        assert identity.bound == {}
        assert identity.authorizations[-1].startswith("X-Matrix origin=")
        assert f'destination="{identity.name}"' in identity.authorizations[-1]
        assert await alice.post(path, ADDRESS) == {"id_server_unbind_result": "no-support"}, "it is known nowhere"

    async def test_from_a_server_that_the_client_names(self, server: TestServer, identity: IdentityServer) -> None:
        alice = await server.register("alice")
        identity.bound["email", "alice@example.org"] = alice.user_id
        body = {**ADDRESS, "address": "Alice@Example.org", "id_server": identity.name}
        assert await alice.post("account/3pid/unbind", body) == {"id_server_unbind_result": "success"}
        assert identity.bound == {}

    async def test_from_a_server_that_cannot(self, server: TestServer, identity: IdentityServer) -> None:
        alice = await server.register("alice")
        await bind(alice, identity)
        identity.replaced["/unbind"] = lambda: (501, "what?")
        assert await alice.post("account/3pid/unbind", ADDRESS) == {"id_server_unbind_result": "no-support"}
        identity.replaced["/unbind"] = lambda: (403, {"errcode": "M_FORBIDDEN", "error": "signature"})
        (await alice("POST", "account/3pid/unbind", ADDRESS)).error(403, "M_FORBIDDEN")

    async def test_an_address_is_deleted_whatever_the_identity_server_says(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        alice = await server.register("alice")
        await bind(alice, identity)
        identity.replaced["/unbind"] = lambda: (403, {"errcode": "M_FORBIDDEN", "error": "signature"})
        assert await alice.post("account/3pid/delete", ADDRESS) == {"id_server_unbind_result": "no-support"}

    async def test_what_is_published_there_no_more_is_forgotten(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        alice = await server.register("alice")
        await bind(alice, identity)
        identity.bound.clear()
        (await alice("POST", "account/3pid/unbind", ADDRESS)).error(404, "M_NOT_FOUND")
        assert await alice.post("account/3pid/unbind", ADDRESS) == {"id_server_unbind_result": "no-support"}

    async def test_what_somebody_else_deactivates_is_taken_back_too(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        alice = await server.register("alice")
        await bind(alice, identity)
        await server.app.services[AccountService].deactivate(alice.user_id, erase=False)
        assert identity.bound == {}

    async def test_all_of_a_user_who_leaves(self, server: TestServer, identity: IdentityServer) -> None:
        alice = await server.register("alice")
        await bind(alice, identity)
        asked = await alice("POST", "account/deactivate", {})
        auth = {"type": "m.login.password", "password": "correct horse", "session": asked.json["session"]}
        assert await alice.post("account/deactivate", {"auth": auth}) == {"id_server_unbind_result": "success"}
        assert identity.bound == {}

    async def test_a_user_leaves_also_where_an_identity_server_is_gone(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        alice = await server.register("alice")
        await bind(alice, identity)
        identity.replaced["/unbind"] = b"gone"
        asked = await alice("POST", "account/deactivate", {})
        auth = {"type": "m.login.password", "password": "correct horse", "session": asked.json["session"]}
        assert await alice.post("account/deactivate", {"auth": auth}) == {"id_server_unbind_result": "no-support"}
        (await alice("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")


class TestTheConfiguration:
    async def test_where_nobody_is_spoken_with(self, tmp_path: Path, identity: IdentityServer) -> None:
        async with running_server(make_config(tmp_path, identity=Identity(enabled=False))) as server:
            alice = await server.register("alice")
            for path, body in (
                ("account/3pid/bind", bind_body(identity)),
                ("account/3pid", {"three_pid_creds": bind_body(identity)}),
                ("account/3pid/unbind", {**ADDRESS, "id_server": identity.name}),
            ):
                (await alice("POST", path, body)).error(403, "M_SERVER_NOT_TRUSTED")
        assert identity.seen == []

    async def test_only_those_that_are_allowed(self, tmp_path: Path, identity: IdentityServer) -> None:
        config = identity.config(allow=("*.example.org", "LOCALHOST:*"))
        async with running_server(make_config(tmp_path, identity=config)) as server:
            alice = await server.register("alice")
            await bind(alice, identity)
            other = bind_body(identity, id_server=f"127.0.0.1:{identity.name.partition(':')[2]}")
            (await alice("POST", "account/3pid/bind", other)).error(403, "M_SERVER_NOT_TRUSTED")

    async def test_private_addresses_are_not_asked(self, tmp_path: Path, identity: IdentityServer) -> None:
        config = Identity(extra_ca=str(identity.authority))
        async with running_server(make_config(tmp_path, identity=config)) as server:
            alice = await server.register("alice")
            port = identity.name.partition(":")[2]
            for host in ("localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"):
                body = bind_body(identity, id_server=f"{host}:{port}")
                (await alice("POST", "account/3pid/bind", body)).error(502, "M_UNKNOWN")
        assert identity.seen == []

    async def test_a_server_that_does_not_prove_its_name(self, tmp_path: Path, identity: IdentityServer) -> None:
        async with running_server(make_config(tmp_path, identity=Identity(deny_private_addresses=False))) as server:
            alice = await server.register("alice")
            (await alice("POST", "account/3pid/bind", bind_body(identity))).error(502, "M_UNKNOWN")
        async with running_server(
            make_config(tmp_path, identity=Identity(deny_private_addresses=False, verify_tls=False))
        ) as server:
            await bind(await server.register("bob"), identity)

    async def test_clients_are_told_of_the_default(self, tmp_path: Path) -> None:
        config = Identity(default_server="https://id.example.org")
        async with running_server(make_config(tmp_path, identity=config)) as server:
            found = await server.anonymous.get("/.well-known/matrix/client")
        assert found["m.identity_server"] == {"base_url": "https://id.example.org"}
