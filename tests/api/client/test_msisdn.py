"""Phone numbers: proven through an identity server that sends the text messages, and used like mail addresses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from held_clock import HeldClock
from identity_server import CODE, TOKEN, IdentityServer, identity_server
from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.accounts import Registration
from myelin.services.identity.phone_validations import LIFETIME_MS

STAGE = "m.login.msisdn"
NUMBER = "447700900001"
ASKED = {"client_secret": "s3cret", "country": "GB", "phone_number": "07700900001", "send_attempt": 1}


@pytest.fixture
async def identity(tmp_path: Path) -> AsyncIterator[IdentityServer]:
    async with identity_server(tmp_path) as made:
        yield made


@asynccontextmanager
async def house(
    folder: Path,
    identity: IdentityServer,
    msisdn: Any = "optional",
    token: str = "",
    clock: HeldClock | None = None,
    url: str = "",
) -> AsyncIterator[TestServer]:
    """A server whose text messages the identity server sends."""
    delegate = identity.config(msisdn_delegate=f"https://{identity.name}", msisdn_delegate_token=token)
    config = make_config(folder, url, registration=Registration(mode="open", msisdn=msisdn), identity=delegate)
    async with running_server(config, clock) as server:
        yield server


@pytest.fixture
async def server(tmp_path: Path, identity: IdentityServer) -> AsyncIterator[TestServer]:
    async with house(tmp_path, identity) as running:
        yield running


async def ask(client: Client, path: str, **changes: Any) -> dict[str, str]:
    """Have a code sent; what stands for the proof."""
    made = await client.post(f"{path}/msisdn/requestToken", {**ASKED, **changes})
    assert made["submit_url"].endswith("/_myelin/msisdn/submit")
    return {"sid": made["sid"], "client_secret": "s3cret"}


async def prove(client: Client, path: str, **changes: Any) -> dict[str, str]:
    """Have a code sent, and hand it in."""
    proof = await ask(client, path, **changes)
    assert await client.post("/_myelin/msisdn/submit", {**proof, "token": CODE}) == {"success": True}
    return proof


def password(user: str) -> dict[str, Any]:
    return {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": "correct horse"}


async def with_number(server: TestServer) -> Client:
    """A user who has added the number."""
    alice = await server.register("alice")
    proof = await prove(alice, "account/3pid")
    await alice.post("account/3pid/add", {**proof, "auth": password("alice")})
    return alice


class TestRegistering:
    async def test_with_a_number(self, server: TestServer, identity: IdentityServer) -> None:
        anonymous = server.anonymous
        proof = await prove(anonymous, "register")
        assert identity.texted == {"sms1": ("GB", "07700900001")}
        body = {"username": "alice", "password": "correct horse"}
        begun = (await anonymous("POST", "register", body)).json
        assert begun["flows"] == [{"stages": ["m.login.dummy"]}, {"stages": [STAGE]}]
        auth = {"type": STAGE, "threepid_creds": proof, "session": begun["session"]}
        made = (await anonymous("POST", "register", {**body, "auth": auth})).ok()
        alice = Client(server.session, server.base, made["access_token"])
        (known,) = (await alice.get("account/3pid"))["threepids"]
        assert (known["medium"], known["address"], known["validated_at"]) == ("msisdn", NUMBER, 1_700_000_000_000)

    async def test_a_code_that_was_not_handed_in_proves_nothing(self, server: TestServer) -> None:
        anonymous = server.anonymous
        proof = await ask(anonymous, "register")
        assert await anonymous.post("/_myelin/msisdn/submit", {**proof, "token": "000000"}) == {"success": False}
        body = {"username": "alice", "password": "correct horse"}
        for given in (proof, {**proof, "sid": "sms9"}, {**proof, "client_secret": "other"}, {**proof, "sid": "\x00"}):
            auth = {"type": STAGE, "threepid_creds": given}
            (await anonymous("POST", "register", {**body, "auth": auth})).error(401, "M_THREEPID_AUTH_FAILED")

    async def test_a_session_of_the_identity_server_alone_proves_nothing(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        identity.validated["elsewhere"] = "msisdn", NUMBER
        auth = {"type": STAGE, "threepid_creds": {"sid": "elsewhere", "client_secret": "s3cret"}}
        body = {"username": "alice", "password": "correct horse", "auth": auth}
        (await server.anonymous("POST", "register", body)).error(401, "M_THREEPID_AUTH_FAILED")
        assert "3pid/getValidated3pid" not in identity.paths

    async def test_the_number_must_be_the_one_that_was_asked_for(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        proof = await prove(server.anonymous, "register")
        identity.validated[proof["sid"]] = "msisdn", "447700900002"
        body = {"username": "alice", "password": "correct horse", "auth": {"type": STAGE, "threepid_creds": proof}}
        (await server.anonymous("POST", "register", body)).error(401, "M_THREEPID_AUTH_FAILED")

    async def test_a_proof_is_for_one_thing(self, server: TestServer) -> None:
        proof = await prove(server.anonymous, "account/3pid")
        body = {"username": "alice", "password": "correct horse", "auth": {"type": STAGE, "threepid_creds": proof}}
        (await server.anonymous("POST", "register", body)).error(400, "M_THREEPID_AUTH_FAILED")

    async def test_where_it_must_be(self, tmp_path: Path, identity: IdentityServer) -> None:
        async with house(tmp_path, identity, "required") as server:
            begun = (await server.anonymous("POST", "register", {})).json
            assert begun["flows"] == [{"stages": [STAGE]}]


class TestAdding:
    async def test_on_both_engines(self, tmp_path: Path, identity: IdentityServer, database_url: str) -> None:
        async with house(tmp_path, identity, url=database_url) as server:
            alice = await with_number(server)
            assert [one["address"] for one in (await alice.get("account/3pid"))["threepids"]] == [NUMBER]
            assert (await alice.get("capabilities"))["capabilities"]["m.3pid_changes"] == {"enabled": True}
            bob = await server.register("bob")
            proof = await prove(bob, "account/3pid", client_secret="s3cret", send_attempt=2)
            body = {**proof, "auth": password("bob")}
            (await bob("POST", "account/3pid/add", body)).error(400, "M_THREEPID_IN_USE")

    async def test_and_removing(self, server: TestServer) -> None:
        alice = await with_number(server)
        removal = {"medium": "msisdn", "address": f"+{NUMBER}"}
        assert await alice.post("account/3pid/delete", removal) == {"id_server_unbind_result": "no-support"}
        assert (await alice.get("account/3pid"))["threepids"] == []

    async def test_a_proof_that_is_too_old(self, tmp_path: Path, identity: IdentityServer, clock: HeldClock) -> None:
        async with house(tmp_path, identity, clock=clock) as server:
            alice = await server.register("alice")
            proof = await prove(alice, "account/3pid")
            clock.pass_ms(LIFETIME_MS)
            body = {**proof, "auth": password("alice")}
            (await alice("POST", "account/3pid/add", body)).error(400, "M_THREEPID_AUTH_FAILED")


class TestSigningIn:
    @pytest.mark.parametrize(
        "identifier",
        [
            {"type": "m.id.phone", "country": "GB", "phone": "07700 900001"},
            {"type": "m.id.phone", "country": "GB", "number": "07700900001"},
            {"type": "m.id.phone", "country": "US", "phone": "+44 7700 900001"},
            {"type": "m.id.thirdparty", "medium": "msisdn", "address": NUMBER},
        ],
    )
    async def test_by_the_number(self, server: TestServer, identifier: dict[str, str]) -> None:
        alice = await with_number(server)
        body = {"type": "m.login.password", "identifier": identifier, "password": "correct horse"}
        assert (await server.anonymous.post("login", body))["user_id"] == alice.user_id
        (await server.anonymous("POST", "login", {**body, "password": "wrong"})).error(403, "M_FORBIDDEN")

    async def test_as_old_clients_say_it(self, server: TestServer) -> None:
        alice = await with_number(server)
        body = {"type": "m.login.password", "medium": "msisdn", "address": NUMBER, "password": "correct horse"}
        assert (await server.anonymous.post("login", body))["user_id"] == alice.user_id

    @pytest.mark.parametrize(
        ("identifier", "status", "errcode"),
        [
            ({"country": "GB", "phone": "07700900009"}, 403, "M_FORBIDDEN"),
            ({"country": "GB", "phone": "hello"}, 400, "M_INVALID_PARAM"),
            ({"country": "XX", "phone": "07700900001"}, 400, "M_INVALID_PARAM"),
            ({"country": "gb", "phone": "07700900001"}, 400, "M_INVALID_PARAM"),
            ({"country": "GB", "phone": "7" * 65}, 400, "M_INVALID_PARAM"),
            ({"country": "GB"}, 400, "M_MISSING_PARAM"),
            ({"country": 44, "phone": "07700900001"}, 400, "M_MISSING_PARAM"),
        ],
    )
    async def test_by_what_is_none(
        self, server: TestServer, identifier: dict[str, Any], status: int, errcode: str
    ) -> None:
        body = {"type": "m.login.password", "identifier": {"type": "m.id.phone", **identifier}, "password": "x"}
        (await server.anonymous("POST", "login", body)).error(status, errcode)

    async def test_a_forgotten_password(self, server: TestServer) -> None:
        alice = await with_number(server)
        proof = await prove(server.anonymous, "account/password", send_attempt=2)
        new = {"new_password": "battery staple"}
        begun = (await server.anonymous("POST", "account/password", new)).json
        assert begun["flows"] == [{"stages": [STAGE]}]
        auth = {"type": STAGE, "threepid_creds": proof, "session": begun["session"]}
        await server.anonymous.post("account/password", {**new, "auth": auth})
        (await alice("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
        assert (await server.login("alice", "battery staple")).user_id == alice.user_id


class TestTheIdentityServerThatSendsThem:
    async def test_by_its_newer_interface_with_a_token(self, tmp_path: Path, identity: IdentityServer) -> None:
        async with house(tmp_path, identity, token=TOKEN) as server:
            await prove(server.anonymous, "register")
        assert all(path.startswith("/_matrix/identity/v2/") for _, path, _ in identity.seen)
        assert set(identity.authorizations) == {f"Bearer {TOKEN}"}

    async def test_by_its_older_one_without(self, server: TestServer, identity: IdentityServer) -> None:
        await prove(server.anonymous, "register")
        assert all(path.startswith("/_matrix/identity/api/v1/") for _, path, _ in identity.seen)
        assert set(identity.authorizations) == {""}

    async def test_its_refusals_are_passed_on(self, server: TestServer, identity: IdentityServer) -> None:
        refusal = {"errcode": "M_DESTINATION_REJECTED", "error": "not there"}
        identity.replaced["/requestToken"] = lambda: (400, refusal)
        answer = await server.anonymous("POST", "register/msisdn/requestToken", ASKED)
        answer.error(400, "M_DESTINATION_REJECTED")

    @pytest.mark.parametrize("answer", [b"", b"{}", b'{"sid":""}', b'{"sid":"a b"}', b'{"sid":null}', b'{"sid":true}'])
    async def test_its_nonsense_is_not(self, server: TestServer, identity: IdentityServer, answer: bytes) -> None:
        identity.replaced["/requestToken"] = answer
        (await server.anonymous("POST", "register/msisdn/requestToken", ASKED)).error(502, "M_UNKNOWN")

    async def test_sessions_of_two_clients_are_not_mixed_up(self, server: TestServer, identity: IdentityServer) -> None:
        identity.replaced["/requestToken"] = b'{"sid":"1"}'
        await ask(server.anonymous, "register")
        other = {**ASKED, "client_secret": "another"}
        (await server.anonymous("POST", "register/msisdn/requestToken", other)).error(502, "M_UNKNOWN")

    async def test_what_is_no_number_is_not_sent_there(self, server: TestServer, identity: IdentityServer) -> None:
        for changes in ({"phone_number": "1"}, {"phone_number": "x"}, {"country": "England"}, {"country": "ZZ"}):
            body = {**ASKED, **changes}
            (await server.anonymous("POST", "register/msisdn/requestToken", body)).error(400, "M_INVALID_PARAM")
        assert identity.seen == []

    async def test_codes_of_nobody(self, server: TestServer, identity: IdentityServer) -> None:
        body = {"sid": "sms1", "client_secret": "s3cret", "token": CODE}
        (await server.anonymous("POST", "/_myelin/msisdn/submit", body)).error(400, "M_INVALID_PARAM")
        assert identity.seen == []


async def test_without_one_no_number_is_taken(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path)) as server:
        answer = await server.anonymous("POST", "register/msisdn/requestToken", ASKED)
        answer.error(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED")
        body = {"sid": "sms1", "client_secret": "s3cret", "token": CODE}
        answer = await server.anonymous("POST", "/_myelin/msisdn/submit", body)
        answer.error(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED")
