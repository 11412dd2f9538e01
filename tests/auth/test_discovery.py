"""What clients find out before they begin, and what they can check afterwards."""

from pathlib import Path

from joserfc import jwt
from joserfc.jwk import KeySet

from held_clock import HeldClock
from inprocess import make_config, running_server
from sign_in_house import House


async def test_the_metadata_is_the_same_everywhere(home: House) -> None:
    metadata = await home.server.anonymous.get("/_matrix/client/v1/auth_metadata")
    assert metadata["issuer"] == "http://matrix.test/"
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    for path in (
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata",
    ):
        assert await home.server.anonymous.get(path) == metadata


async def test_every_address_is_served(home: House) -> None:
    metadata = await home.server.anonymous.get("/_matrix/client/v1/auth_metadata")
    for name, value in metadata.items():
        if name.endswith(("_endpoint", "_uri")):
            url = home.server.base + value.removeprefix("http://matrix.test")
            statuses = set()
            for method in ("GET", "POST"):
                async with home.server.session.request(method, url, allow_redirects=False) as response:
                    statuses.add(response.status)
            assert statuses != {404}, name


async def test_without_the_service_clients_are_told_so(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path)) as server:
        (await server.anonymous("GET", "/_matrix/client/v1/auth_metadata")).error(404, "M_UNRECOGNIZED")
        (await server.anonymous("GET", "/auth/login")).error(404, "M_UNRECOGNIZED")


async def test_an_id_token_can_be_checked_with_the_published_keys(home: House, clock: HeldClock) -> None:
    program, browser = await home.program(), home.browser()
    scope = "openid urn:matrix:client:api:* urn:matrix:client:device:DEVICE1"
    consent = await browser.sign_in(await browser.open(program.request(scope=scope, nonce="once")), "alice")
    back = await browser.submit(consent, answer="allow")
    _, tokens = await program.exchange(back.answer["code"])
    keys = await home.server.anonymous.get("/auth/oauth2/keys.json")
    assert {key["alg"] for key in keys["keys"]} == {"RS256", "ES256", "ES384", "Ed25519"}
    assert not any("d" in key for key in keys["keys"])
    token = jwt.decode(tokens["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"])
    claims = token.claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("http://matrix.test/", "@alice:hs1", program.client_id)
    assert (claims["nonce"], claims["amr"]) == ("once", ["pwd"])
    assert claims["exp"] == claims["iat"] + 300 == clock.now_ms() // 1000 + 300
    client = program.as_client(tokens)
    assert await client.get("/auth/oauth2/userinfo") == {"sub": "@alice:hs1"}


async def test_who_was_not_granted_openid_is_told_nothing(home: House) -> None:
    program = await home.program()
    client = program.as_client(await home.signed_in(program))
    answer = await client("GET", "/auth/oauth2/userinfo")
    assert (answer.status, answer.json["error"]) == (403, "insufficient_scope")


async def test_keys_stay_the_same(home: House) -> None:
    first = await home.server.anonymous.get("/auth/oauth2/keys.json")
    assert await home.server.anonymous.get("/auth/oauth2/keys.json") == first
