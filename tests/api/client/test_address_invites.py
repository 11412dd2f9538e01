"""Inviting by e-mail address or phone number, from the client's request to the user who comes in."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from identity_server import IdentityServer, identity_server
from inprocess import Client, TestServer, make_config, running_server
from myelin.config.sections.identity import Identity
from myelin.matrix.signing import SigningKey

ADDRESS = "bob@example.org"
BY_MAIL = {"medium": "email", "address": ADDRESS}
INVITE = "m.room.third_party_invite"
OTHER_KEY = SigningKey.from_seed("0", b"o" * 32)


@pytest.fixture
async def identity(tmp_path: Path) -> AsyncIterator[IdentityServer]:
    async with identity_server(tmp_path) as made:
        yield made


@pytest.fixture
async def server(tmp_path: Path, identity: IdentityServer) -> AsyncIterator[TestServer]:
    async with running_server(make_config(tmp_path, identity=identity.config())) as running:
        yield running


async def membership(client: Client, room_id: str, user_id: str) -> Any:
    answer = await client("GET", f"rooms/{room_id}/state/m.room.member/{user_id}")
    return answer.json if answer.status == 200 else None


async def pending(client: Client, room_id: str) -> list[dict[str, Any]]:
    return [event for event in await client.get(f"rooms/{room_id}/state") if event["type"] == INVITE]


async def invite(client: Client, identity: IdentityServer, room_id: str, **changes: Any) -> Any:
    return await client("POST", f"rooms/{room_id}/invite", {**BY_MAIL, **identity.where, **changes})


class TestAnAddressThatIsSomebodys:
    @pytest.mark.parametrize("algorithms", [["none", "sha256"], ["sha256"], ["none"]])
    async def test_the_user_is_invited(
        self, server: TestServer, identity: IdentityServer, algorithms: list[str]
    ) -> None:
        identity.algorithms = algorithms
        alice, bob = await server.register("alice"), await server.register("bob")
        identity.bound["email", ADDRESS] = bob.user_id
        room = await alice.create_room()
        (await invite(alice, identity, room, address="Bob@Example.org", reason="hello")).ok()
        assert (await membership(alice, room, bob.user_id))["reason"] == "hello"
        assert await pending(alice, room) == []
        lookup = identity.seen[-1][2]
        assert lookup["algorithm"] == ("none" if algorithms == ["none"] else "sha256")
        assert (ADDRESS in str(lookup)) is (algorithms == ["none"])

    async def test_a_phone_number_too(self, server: TestServer, identity: IdentityServer) -> None:
        alice, bob = await server.register("alice"), await server.register("bob")
        identity.bound["msisdn", "447700900001"] = bob.user_id
        room = await alice.create_room()
        (await invite(alice, identity, room, medium="msisdn", address="+447700900001")).ok()
        assert (await membership(alice, room, bob.user_id))["membership"] == "invite"

    async def test_the_pepper_may_change_in_between(self, server: TestServer, identity: IdentityServer) -> None:
        alice, bob = await server.register("alice"), await server.register("bob")
        identity.bound["email", ADDRESS] = bob.user_id
        details = iter(["old", "matrixrocks"])
        identity.replaced["/hash_details"] = lambda: (200, {"algorithms": ["sha256"], "lookup_pepper": next(details)})
        room = await alice.create_room()
        (await invite(alice, identity, room)).ok()
        assert identity.paths == ["hash_details", "lookup", "hash_details", "lookup"]

    async def test_a_pepper_that_always_changes_ends_it(self, server: TestServer, identity: IdentityServer) -> None:
        alice = await server.register("alice")
        identity.replaced["/lookup"] = lambda: (400, {"errcode": "M_INVALID_PEPPER", "error": "again"})
        room = await alice.create_room()
        (await invite(alice, identity, room)).error(400, "M_INVALID_PEPPER")
        assert identity.paths == ["hash_details", "lookup"] * 2

    async def test_it_may_become_somebodys_in_between(self, server: TestServer, identity: IdentityServer) -> None:
        alice, bob = await server.register("alice"), await server.register("bob")
        refusal = {"errcode": "M_THREEPID_IN_USE", "error": "known", "mxid": bob.user_id}
        identity.replaced["/store-invite"] = lambda: (400, refusal)
        room = await alice.create_room()
        (await invite(alice, identity, room)).ok()
        assert (await membership(alice, room, bob.user_id))["membership"] == "invite"

    async def test_when_a_room_is_made(self, server: TestServer, identity: IdentityServer) -> None:
        alice, bob = await server.register("alice"), await server.register("bob")
        identity.bound["email", ADDRESS] = bob.user_id
        asked = [{**BY_MAIL, **identity.where}, {**BY_MAIL, **identity.where, "address": "carol@example.org"}]
        room = await alice.create_room(invite_3pid=asked, is_direct=True)
        member = await membership(alice, room, bob.user_id)
        assert (member["membership"], member["is_direct"]) == ("invite", True)
        assert len(await pending(alice, room)) == 1


class TestAnAddressThatIsNobodys:
    async def test_the_invite_waits(self, server: TestServer, identity: IdentityServer) -> None:
        alice = await server.register("alice")
        await alice.put(f"profile/{alice.user_id}/displayname", {"displayname": "Alice"})
        room = await alice.create_room(name="Tea", preset="private_chat")
        (await invite(alice, identity, room)).ok()
        assert identity.invites == [
            {
                **BY_MAIL,
                "room_id": room,
                "sender": alice.user_id,
                "room_name": "Tea",
                "room_join_rules": "invite",
                "sender_display_name": "Alice",
            }
        ]
        (event,) = await pending(alice, room)
        url = f"https://{identity.name}/_matrix/identity/v2/pubkey/isvalid"
        assert (event["state_key"], event["sender"]) == ("token1", alice.user_id)
        assert event["content"]["display_name"] == "b...@e..."
        assert event["content"]["public_key"] == identity.key.verify_key.to_base64()
        assert event["content"]["key_validity_url"] == url
        assert len(event["content"]["public_keys"]) == 2

    @pytest.mark.parametrize("name", [ADDRESS, "Bob <BOB@example.org>", "bob @ example.org", "", 5, "\x00", "x" * 256])
    async def test_no_event_says_the_address(self, server: TestServer, identity: IdentityServer, name: Any) -> None:
        alice = await server.register("alice")
        identity.display_name = name
        room = await alice.create_room()
        (await invite(alice, identity, room)).ok()
        (event,) = await pending(alice, room)
        assert event["content"]["display_name"] == "b...@e..."
        assert ADDRESS not in str(await alice.get(f"rooms/{room}/messages", dir="b"))

    async def test_what_the_identity_server_makes_of_it_is_checked(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        alice = await server.register("alice")
        room = await alice.create_room()
        key = {"public_key": identity.key.verify_key.to_base64(), "key_validity_url": "https://x/y"}
        good = {"token": "t", "public_keys": [key], "display_name": "b..."}
        for changes in (
            {"token": ""},
            {"token": "a b"},
            {"token": "x" * 256},
            {"token": 5},
            {"public_keys": []},
            {"public_keys": {}},
            {"public_keys": [{**key, "public_key": "short"}]},
            {"public_keys": [{**key, "key_validity_url": "javascript:alert(1)"}]},
        ):
            value = {**good, **changes}
            identity.replaced["/store-invite"] = lambda value=value: (200, value)
            (await invite(alice, identity, room)).error(502, "M_UNKNOWN")
        assert await pending(alice, room) == []
        identity.replaced["/store-invite"] = lambda: (200, good)
        (await invite(alice, identity, room)).ok()

    async def test_who_may_not_invite_has_no_mail_sent(self, server: TestServer, identity: IdentityServer) -> None:
        alice, bob = await server.register("alice"), await server.register("bob")
        room = await alice.create_room(preset="public_chat")
        (await invite(bob, identity, room)).error(403, "M_FORBIDDEN")
        await bob.post(f"join/{room}")
        (await invite(bob, identity, room)).error(403, "M_FORBIDDEN")
        assert identity.invites == []

    async def test_parts_that_are_missing(self, server: TestServer, identity: IdentityServer) -> None:
        alice = await server.register("alice")
        room = await alice.create_room()
        for name in ("id_server", "id_access_token", "medium", "address"):
            (await invite(alice, identity, room, **{name: None})).error(400, "M_MISSING_PARAM")
        (await invite(alice, identity, room, medium="pigeon")).error(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED")
        (await invite(alice, identity, room, address="no address")).error(400, "M_INVALID_PARAM")
        assert identity.seen == []

    async def test_a_room_is_not_made_with_invites_that_cannot_be(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        alice = await server.register("alice")
        for changes, errcode in (
            ({"medium": "pigeon"}, "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
            ({"address": "none"}, "M_INVALID_PARAM"),
            ({"id_server": "a b"}, "M_INVALID_PARAM"),
            ({"id_access_token": ""}, "M_MISSING_PARAM"),
        ):
            body = {"invite_3pid": [{**BY_MAIL, **identity.where, **changes}]}
            (await alice("POST", "createRoom", body)).error(400, errcode)
        assert (await alice.get("joined_rooms"))["joined_rooms"] == []

    async def test_a_room_is_made_though_the_identity_server_is_gone(
        self, server: TestServer, identity: IdentityServer
    ) -> None:
        alice = await server.register("alice")
        identity.replaced["/hash_details"] = b"gone"
        room = await alice.create_room(invite_3pid=[{**BY_MAIL, **identity.where}])
        assert await pending(alice, room) == []

    async def test_where_identity_servers_are_not_wanted(self, tmp_path: Path, identity: IdentityServer) -> None:
        async with running_server(make_config(tmp_path, identity=Identity(enabled=False))) as server:
            alice = await server.register("alice")
            room = await alice.create_room()
            (await invite(alice, identity, room)).error(403, "M_SERVER_NOT_TRUSTED")
            body = {"invite_3pid": [{**BY_MAIL, **identity.where}]}
            (await alice("POST", "createRoom", body)).error(403, "M_SERVER_NOT_TRUSTED")


class TestTheAddressBecomesSomebodys:
    async def notify(
        self, server: TestServer, room: str, alice: Client, bob: Client, signed: dict[str, Any], method: str = "PUT"
    ) -> Any:
        """Tell the server, as the identity server does."""
        waiting = {"room_id": room, "sender": alice.user_id, "signed": signed, "mxid": bob.user_id, **BY_MAIL}
        body = {**BY_MAIL, "mxid": bob.user_id, "invites": [waiting]}
        return await server.anonymous(method, "/_matrix/federation/v1/3pid/onbind", body)

    @pytest.mark.parametrize("method", ["PUT", "POST"])
    @pytest.mark.parametrize("key", ["key", "ephemeral"])
    async def test_by_the_identity_servers_notice(
        self, server: TestServer, identity: IdentityServer, method: str, key: str
    ) -> None:
        alice, bob = await server.register("alice"), await server.register("bob")
        room = await alice.create_room(preset="private_chat")
        (await invite(alice, identity, room)).ok()
        signed = identity.signed(bob.user_id, "token1", getattr(identity, key))
        (await self.notify(server, room, alice, bob, signed, method)).ok()
        member = await membership(alice, room, bob.user_id)
        assert member["third_party_invite"] == {"display_name": "b...@e...", "signed": signed}
        assert identity.paths[-1] == "pubkey/isvalid"
        assert identity.seen[-1][2] == {"public_key": getattr(identity, key).verify_key.to_base64()}
        await bob.post(f"join/{room}")

    async def test_by_what_the_user_shows_when_they_join(self, server: TestServer, identity: IdentityServer) -> None:
        alice, bob = await server.register("alice"), await server.register("bob")
        room = await alice.create_room(preset="private_chat")
        (await invite(alice, identity, room)).ok()
        (await bob("POST", f"join/{room}")).error(403, "M_FORBIDDEN")
        signed = identity.signed(bob.user_id, "token1", identity.ephemeral, sender=alice.user_id)
        await bob.post(f"rooms/{room}/join", {"third_party_signed": signed})
        assert (await membership(alice, room, bob.user_id))["membership"] == "join"
        await bob.post(f"join/{room}", {"third_party_signed": signed})

    @pytest.mark.parametrize("wrong", ["key", "token", "user", "sender", "nothing"])
    async def test_what_was_not_signed_for_it_lets_nobody_in(
        self, server: TestServer, identity: IdentityServer, wrong: str
    ) -> None:
        alice, bob = await server.register("alice"), await server.register("bob")
        room = await alice.create_room(preset="private_chat")
        (await invite(alice, identity, room)).ok()
        signed = {
            "key": identity.signed(bob.user_id, "token1", OTHER_KEY, sender=alice.user_id),
            "token": identity.signed(bob.user_id, "token2", sender=alice.user_id),
            "user": identity.signed(alice.user_id, "token1", sender=alice.user_id),
            "sender": identity.signed(bob.user_id, "token1", sender=bob.user_id),
            "nothing": {"mxid": bob.user_id, "token": "token1", "sender": alice.user_id, "signatures": {}},
        }[wrong]
        for path in (f"rooms/{room}/join", f"join/{room}"):
            (await bob("POST", path, {"third_party_signed": signed})).error(403, "M_FORBIDDEN")
        if wrong not in ("user", "sender"):
            (await self.notify(server, room, alice, bob, signed)).error(403, "M_FORBIDDEN")
        assert await membership(alice, room, bob.user_id) is None

    @pytest.mark.parametrize("how", ["revoked", "gone", "nonsense"])
    async def test_a_key_that_the_identity_server_stands_by_no_more(
        self, server: TestServer, identity: IdentityServer, how: str
    ) -> None:
        alice, bob = await server.register("alice"), await server.register("bob")
        room = await alice.create_room(preset="private_chat")
        (await invite(alice, identity, room)).ok()
        identity.valid = how != "revoked"
        if how != "revoked":
            identity.replaced["/isvalid"] = (lambda: (404, {})) if how == "gone" else b'{"valid":"yes"}'
        signed = identity.signed(bob.user_id, "token1")
        (await self.notify(server, room, alice, bob, signed)).error(403, "M_FORBIDDEN")
        assert await membership(alice, room, bob.user_id) is None

    async def test_a_body_that_is_no_proof(self, server: TestServer) -> None:
        alice = await server.register("alice")
        room = await alice.create_room()
        for signed in ({}, {"mxid": alice.user_id}, {"mxid": 5, "sender": "x", "token": "t", "signatures": []}):
            (await alice("POST", f"join/{room}", {"third_party_signed": signed})).error(400, "M_INVALID_PARAM")
