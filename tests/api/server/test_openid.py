"""Third parties ask whose OpenID token it is."""

from held_clock import HeldClock
from inprocess import TestServer

USER_INFO = "/_matrix/federation/v1/openid/userinfo"


async def test_a_token_tells_its_user_until_it_expires(server_at: TestServer, clock: HeldClock) -> None:
    alice = await server_at.register("alice")
    made = await alice.post(f"user/{alice.user_id}/openid/request_token")
    ask = server_at.anonymous
    assert await ask.get(USER_INFO, access_token=made["access_token"]) == {"sub": alice.user_id}
    clock.pass_ms(made["expires_in"] * 1000)
    (await ask("GET", USER_INFO, access_token=made["access_token"])).error(401, "M_UNKNOWN_TOKEN")


async def test_only_openid_tokens_are_exchanged(server: TestServer) -> None:
    alice = await server.register("alice")
    (await server.anonymous("GET", USER_INFO, access_token=alice.token)).error(401, "M_UNKNOWN_TOKEN")
    (await server.anonymous("GET", USER_INFO)).error(401, "M_MISSING_TOKEN")
