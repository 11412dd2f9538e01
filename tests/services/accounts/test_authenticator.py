"""Who stands behind an access token, from memory and across processes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from inprocess import Client, TestServer, make_config, running_server
from myelin.http.kernel import Authenticator
from myelin.services.accounts.accounts import AccountService
from myelin.services.accounts.authenticator import TokenAuthenticator


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The engine's URL; empty: SQLite in the test's folder."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else ""


class Presented:
    """A request with this token, which counts what else is asked of it."""

    def __init__(self, token: str | None) -> None:
        self.access_token = token
        self.asked = 0

    @property
    def headers(self) -> Mapping[str, str]:
        self.asked += 1
        return {}

    @property
    def client_address(self) -> str:
        return "192.0.2.1"


def of_users(server: TestServer) -> Any:
    """The authenticator of users, behind that of application services."""
    authenticator: Any = server.app.services[Authenticator]
    return authenticator._inner


def knows(server: TestServer, client: Client) -> bool:
    """Whether the process knows the token without asking the database."""
    authenticator: TokenAuthenticator = server.app.services[Authenticator]
    return authenticator.recall(Presented(client.token)) is not None  # type: ignore[arg-type]


async def test_a_token_is_known_after_its_first_use_and_noted_once_a_minute(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path)) as server:
        alice = await server.register("alice")
        assert not knows(server, alice)
        await alice.get("account/whoami")
        authenticator = of_users(server)
        request: Any = Presented(alice.token)
        first, again = authenticator.recall(request), authenticator.recall(request)
        assert first is again
        assert first.user_id == "@alice:hs1"
        assert request.asked == 0, "the device was noted by the request before"
        await authenticator._last_seen.flush()
        authenticator.recall(request)
        authenticator.recall(request)
        assert request.asked == 1
        assert authenticator.recall(Presented(None)) is None


async def test_the_least_recently_used_token_is_forgotten_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("myelin.services.accounts.authenticator.MAX_KNOWN", 2)
    async with running_server(make_config(tmp_path)) as server:
        one, two, three = [await server.register(name) for name in ("one", "two", "three")]
        for client in (one, two, one, three):
            await client.get("account/whoami")
        assert [knows(server, c) for c in (one, two, three)] == [True, False, True]
        await two.get("account/whoami")


async def heard(reader: TestServer, writer: TestServer) -> None:
    """One process hears how far the other wrote."""
    reader.app.ground.feed.seen(writer.app.ground.feed.position)
    await reader.app.ground.feed.caught_up()


async def test_other_processes_hear_that_a_session_ended(tmp_path: Path, database_url: str) -> None:
    config = make_config(tmp_path, database_url)
    async with running_server(config) as one, running_server(config) as two:
        alice = await one.register("alice")
        phone = await one.login("alice")
        there = Client(two.session, two.base, phone.token)
        await there.get("account/whoami")
        await Client(two.session, two.base, alice.token).get("account/whoami")
        assert knows(two, phone)
        await phone.post("logout")
        await heard(two, one)
        assert not knows(two, phone)
        assert knows(two, alice), "only that device's session is forgotten"
        (await there("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")


async def test_other_processes_hear_that_rights_changed(tmp_path: Path, database_url: str) -> None:
    config = make_config(tmp_path, database_url)
    async with running_server(config) as one, running_server(config) as two:
        alice = await one.register("alice")
        there = Client(two.session, two.base, alice.token)
        await there.get("account/whoami")
        await one.app.services[AccountService].set_admin("@alice:hs1", is_admin=True)
        await heard(two, one)
        shown = await there.get("capabilities")
        assert "m.account_moderation" in shown["capabilities"]


async def test_any_process_takes_any_step_of_an_authentication(tmp_path: Path, database_url: str) -> None:
    config = make_config(tmp_path, database_url)
    async with running_server(config) as one, running_server(config) as two:
        body = {"username": "alice", "password": "correct horse"}
        begun = await one.anonymous("POST", "register", body)
        auth = {"type": "m.login.dummy", "session": begun.json["session"]}
        made = (await two.anonymous("POST", "register", {**body, "auth": auth})).ok()
        assert (await Client(one.session, one.base, made["access_token"]).get("account/whoami"))["user_id"]


async def test_a_session_that_ends_while_it_is_looked_up_is_not_remembered(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path)) as server:
        alice = await server.register("alice")
        authenticator = of_users(server)
        read = authenticator._store.session

        async def overtaken(key: str) -> Any:
            found = await read(key)
            await server.app.services[AccountService].set_admin("@alice:hs1", is_admin=True)
            return found

        authenticator._store = type("Store", (), {"session": staticmethod(overtaken)})
        stale = await authenticator.authenticate(Presented(alice.token))
        assert not stale.is_admin
        assert not knows(server, alice)
