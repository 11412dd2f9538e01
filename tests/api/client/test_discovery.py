"""What the server says of itself."""

from pathlib import Path

import pytest

from inprocess import TestServer, make_config, running_server
from myelin.config.sections.federation import Federation
from myelin.config.sections.serving import Server
from myelin.services.accounts.accounts import AccountService
from myelin.services.accounts.discovery import Discovery


async def test_versions(server: TestServer) -> None:
    server.app.services[Discovery].unstable_features["org.example.feature"] = True
    answer = await server.anonymous.get("/_matrix/client/versions")
    assert answer["versions"][0] == "r0.6.1"
    assert answer["versions"][1:] == [f"v1.{n}" for n in range(1, 20)]
    assert answer["unstable_features"]["org.example.feature"] is True


async def test_capabilities(server: TestServer) -> None:
    alice = await server.register("alice")
    shown = (await alice.get("capabilities"))["capabilities"]
    assert shown["m.room_versions"]["default"] == "12"
    assert shown["m.room_versions"]["available"] == {str(n): "stable" for n in range(1, 13)}
    assert shown["m.change_password"] == {"enabled": True}
    assert shown["m.3pid_changes"] == {"enabled": False}
    assert "m.account_moderation" not in shown
    await server.app.services[AccountService].set_admin("@alice:hs1", is_admin=True)
    shown = (await alice.get("capabilities"))["capabilities"]
    assert shown["m.account_moderation"] == {"suspend": True, "lock": True}
    (await server.anonymous("GET", "capabilities")).error(401, "M_MISSING_TOKEN")


@pytest.mark.parametrize(
    ("public_url", "address"),
    [
        ("https://matrix.example.org", "matrix.example.org:443"),
        ("https://matrix.example.org:8443/", "matrix.example.org:8443"),
        ("https://[::1]:8443", "[::1]:8443"),
        ("http://matrix.example.org", "matrix.example.org:80"),
    ],
)
async def test_well_known_files(tmp_path: Path, public_url: str, address: str) -> None:
    section = Server(
        name="hs1",
        data_directory=str(tmp_path),
        listen=("127.0.0.1:0",),
        public_url=public_url,
        support_email="help@example.org",
        support_page="https://example.org/help",
    )
    async with running_server(make_config(tmp_path, server=section, federation=Federation(enabled=True))) as server:
        client = await server.anonymous("GET", "/.well-known/matrix/client")
        assert client.ok() == {"m.homeserver": {"base_url": public_url.rstrip("/")}}
        assert client.headers["Access-Control-Allow-Origin"] == "*"
        assert await server.anonymous.get("/.well-known/matrix/server") == {"m.server": address}
        assert await server.anonymous.get("/.well-known/matrix/support") == {
            "contacts": [{"role": "m.role.admin", "email_address": "help@example.org"}],
            "support_page": "https://example.org/help",
        }


async def test_well_known_files_that_are_not_served(tmp_path: Path, server: TestServer) -> None:
    (await server.anonymous("GET", "/.well-known/matrix/support")).error(404, "M_NOT_FOUND")
    (tmp_path / "other").mkdir()
    folder = tmp_path / "other"
    section = Server(name="hs1", data_directory=str(folder), listen=("127.0.0.1:0",), serve_well_known=False)
    async with running_server(make_config(folder, server=section)) as silent:
        for name in ("client", "server", "support"):
            (await silent.anonymous("GET", f"/.well-known/matrix/{name}")).error(404, "M_NOT_FOUND")
    (tmp_path / "third").mkdir()
    config = make_config(tmp_path / "third", federation=Federation(enabled=False))
    async with running_server(config) as alone:
        (await alone.anonymous("GET", "/.well-known/matrix/server")).error(404, "M_NOT_FOUND")
        await alone.anonymous.get("/.well-known/matrix/client")
