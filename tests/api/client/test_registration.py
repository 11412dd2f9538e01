"""Registration over HTTP."""

from inprocess import TestServer


async def test_registers_in_one_request_and_logs_in(server_on_each: TestServer) -> None:
    alice = await server_on_each.register("alice")
    assert await alice.get("account/whoami") == {"user_id": "@alice:hs1", "device_id": alice.device_id}
    phone = await server_on_each.login("Alice", device_id="PHONE")
    assert await phone.get("account/whoami") == {"user_id": "@alice:hs1", "device_id": "PHONE"}
    (await server_on_each.anonymous("GET", "account/whoami")).error(401, "M_MISSING_TOKEN")
