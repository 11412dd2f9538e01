"""Signing in elsewhere, and the files about other servers, where there are none."""

from pathlib import Path

from inprocess import TestServer, make_config, running_server
from myelin.config.sections.serving import Server

REDIRECT = "/_matrix/client/v3/login/sso/redirect"


async def test_without_a_provider_programs_get_an_error_and_people_a_page(server: TestServer) -> None:
    for path in (REDIRECT, f"{REDIRECT}/github"):
        (await server.anonymous("GET", path, redirectUrl="https://app.example")).error(404, "M_NOT_FOUND")
        asked = server.session.get(
            f"{server.base}{path}", params={"redirectUrl": "https://app.example"}, headers={"Accept": "text/html"}
        )
        async with asked as page:
            assert (page.status, page.content_type) == (404, "text/html")
            assert "You cannot sign in this way" in await page.text()
        (await server.anonymous("GET", path)).error(400, "M_MISSING_PARAM")


async def test_there_is_no_authorization_server(server: TestServer) -> None:
    for path in ("v1/auth_metadata", "unstable/org.matrix.msc2965/auth_metadata"):
        (await server.anonymous("GET", f"/_matrix/client/{path}")).error(404, "M_UNRECOGNIZED")


async def test_the_policy_servers_key_is_shown_where_there_is_one(server: TestServer, tmp_path: Path) -> None:
    (await server.anonymous("GET", "/.well-known/matrix/policy_server")).error(404, "M_NOT_FOUND")
    key = "6yhHGKhCiXTSEN2ksjV7kX_N6ZTrgRSzQ7hqlBpS2xQ".replace("_", "+")
    folder = tmp_path / "other"
    folder.mkdir()
    place = Server(name="hs1", data_directory=str(folder), listen=("127.0.0.1:0",), policy_server_key=key)
    async with running_server(make_config(folder, server=place)) as other:
        found = await other.anonymous.get("/.well-known/matrix/policy_server")
    assert found == {"public_keys": {"ed25519": key}}
