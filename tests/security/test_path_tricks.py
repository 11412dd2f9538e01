"""Path tricks: an address is what it says letter for letter, so that a proxy and this server never disagree."""

from urllib.parse import unquote

import pytest

from inprocess import Client, TestServer
from security.raw_http import send

NOWHERE = [
    "//_matrix/client/v3/account/whoami",
    "/_matrix//client/v3/account/whoami",
    "/_matrix/client/v3/account/whoami/",
    "/_matrix/client/v3/account//whoami",
    "/_matrix/client/v3/./account/whoami",
    "/_matrix/client/v3/x/../account/whoami",
    "/_matrix/client/v3/x/%2e%2e/account/whoami",
    "/_matrix/client/v3/x%2f..%2faccount/whoami",
    "/_matrix/client/v3%2faccount/whoami",
    "/_matrix%2Fclient%2Fv3%2Faccount%2Fwhoami",
    "/_matrix/client/v3/account/whoami;x=1",
    "/_matrix/client/v3;x/account/whoami",
    "/_matrix/client/v3/account/whoami%00",
    "/_matrix/client/v3/account/whoami%20",
    "/_matrix/client/v3/account/whoami.json",
    "/_matrix/client/v3/ACCOUNT/whoami",
    "/_matrix/client/v3/account\\whoami",
    "/_matrix/client/v3/account/who%61mi/x/..",
    "/x/../_matrix/client/v3/account/whoami",
    "/_matrix/client/v3/account/%77hoami",
    "*",
]


@pytest.mark.parametrize("target", NOWHERE)
async def test_s_ghsa_vh4c_hgcg_path_segments_or_suffixes(server: TestServer, alice: Client, target: str) -> None:
    answer = await send(server.base, target, token=alice.token)
    assert answer.status in (400, 404), answer
    assert alice.user_id.encode() not in answer.body


async def test_the_address_itself_is_there(server: TestServer, alice: Client) -> None:
    for target in ("/_matrix/client/v3/account/whoami", "/_matrix/client/v3/account/whoami?x=/../..%2f;"):
        answer = await send(server.base, target, token=alice.token)
        assert (answer.status, alice.user_id.encode() in answer.body) == (200, True)


@pytest.mark.parametrize(
    "name", ["..%2f..%2fsigning.key", "..", "%2e%2e", "a%2fb", "%252e%252e%252f", "..%5c..%5cx", "a%00b", "~", "a;b"]
)
@pytest.mark.parametrize("kind", ["download", "thumbnail"])
async def test_media_ids_are_no_paths(server: TestServer, alice: Client, kind: str, name: str) -> None:
    for target in (f"hs1/{name}", f"{name}/abc", f"hs1/abc/{name}"):
        path = f"/_matrix/client/v1/media/{kind}/{target}?width=1&height=1"
        answer = await send(server.base, path, token=alice.token)
        assert answer.status in (400, 404), (target, answer)


@pytest.mark.parametrize("key", ["a%2Fb", "..", "%2e%2e", ";x", "a%3Fb", "%25", "a%2F..%2Fb"])
async def test_a_parameter_keeps_its_slashes(alice: Client, key: str) -> None:
    room = await alice.create_room()
    await alice.put(f"rooms/{room}/state/org.example/{key}", {"here": key})
    state = await alice.get(f"rooms/{room}/state")
    assert [e["state_key"] for e in state if e["type"] == "org.example"] == [unquote(key)]
    assert await alice.get(f"rooms/{room}/state/org.example/{key}") == {"here": key}


async def test_what_administrators_may_is_not_reached_by_another_spelling(server: TestServer, alice: Client) -> None:
    for path in ("/_matrix/client/v3/admin/whois/@alice:hs1", "/_matrix/client/v1/admin/lock/@alice:hs1"):
        for spelling in (path.replace("/admin", "//admin"), path.replace("admin", "%61dmin"), path + "/", path + "%2f"):
            answer = await send(server.base, spelling, token=alice.token)
            assert answer.status in (400, 403, 404), (spelling, answer)
