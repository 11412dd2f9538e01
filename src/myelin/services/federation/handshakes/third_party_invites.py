"""Invites by e-mail address or phone number, once the address is bound to a user (spec: "Third-party invites")."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog

from myelin.db.connection import Database
from myelin.matrix.auth_rules.domains import domain_of
from myelin.matrix.auth_rules.third_party_invite import signed_by, validity_urls
from myelin.matrix.errors import Forbidden, InvalidParam, MatrixError, NotFound
from myelin.matrix.identifiers import is_room_id, is_server_name, is_user_id
from myelin.services.federation.handshakes.inviting import Inviting
from myelin.services.federation.handshakes.residence import Residence
from myelin.services.federation.handshakes.templates import MEMBER
from myelin.services.federation.peers.errors import PeerFailed
from myelin.services.federation.peers.paths import path_of
from myelin.services.federation.peers.peers import Peers
from myelin.services.identity.key_validity import KeyValidity
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.writer import RoomWriter
from myelin.store.users import UserStore

THIRD_PARTY_INVITE = "m.room.third_party_invite"
MAX_VALIDITY_URLS = 2
"""Places that are asked about one key: an invite names it twice."""
MAX_BOUND_INVITES = 20
"""Invites of one notice of an identity server that are looked at."""
TIMEOUT_S = 20.0

_log = structlog.get_logger("myelin.federation")


class BoundInvite(msgspec.Struct, frozen=True):
    """An invite that waited for its address to be bound to a user."""

    room_id: str
    sender: str
    signed: dict[str, Any]


class ThirdPartyInvites:
    """Turns invites of addresses into invites of users."""

    def __init__(
        self,
        residence: Residence,
        rooms: Rooms,
        writer: RoomWriter,
        inviting: Inviting,
        peers: Peers,
        validity: KeyValidity,
        database: Database,
    ) -> None:
        self._residence = residence
        self._rooms = rooms
        self._writer = writer
        self._inviting = inviting
        self._peers = peers
        self._validity = validity
        self._users = UserStore(database)

    async def exchange(self, origin: str, room_id: str, event: Mapping[str, Any]) -> None:
        """Invite a user of `origin` in the name of ours who invited the address.

        The room's rules hold the signature of the identity server against the keys of the invite by address. Raises
        InvalidParam, Forbidden or NotFound.
        """
        sender, user_id, content = event.get("sender"), event.get("state_key"), event.get("content")
        if event.get("type") != MEMBER or event.get("room_id") != room_id or not isinstance(content, dict):
            raise InvalidParam("This is no invite into the room")
        signed = _signed(content.get("third_party_invite"))
        if content.get("membership") != "invite" or signed is None or not is_user_id(sender) or not is_user_id(user_id):
            raise InvalidParam("This is no invite of somebody who was invited by an address")
        if domain_of(user_id) != origin:
            raise Forbidden("You may ask for your own users only")
        if not self._residence.is_ours(sender):
            raise NotFound("The sender is no user of this server")
        await self._residence.room(origin, room_id)
        await self._invite(BoundInvite(room_id, sender, signed), user_id)

    async def bound(self, user_id: str, invites: Sequence[BoundInvite]) -> None:
        """An address is our user's now: have them be invited where the address was. What cannot be is passed over.

        Raises NotFound, or Forbidden where not one of the invites came to anything, for the identity server's log.
        """
        if not await self._users.existing([user_id]):
            raise NotFound("There is no such user here")
        failures, done = 0, 0
        for invite in invites[:MAX_BOUND_INVITES]:
            is_meant = invite.signed.get("mxid") == user_id
            if not is_meant or not is_room_id(invite.room_id) or not is_user_id(invite.sender):
                continue
            try:
                await self._pass_on(invite, user_id)
                done += 1
            except (MatrixError, PeerFailed) as error:
                failures += 1
                _log.info("an invite by address came to nothing", room_id=invite.room_id, error=str(error))
        if failures and not done:
            raise Forbidden("None of these invites can be sent: what they say does not hold, or is over")

    async def redeem(self, user_id: str, room_id: str, signed: dict[str, Any]) -> None:
        """Have our user be invited who shows by what an identity server signed that the invited address is theirs.

        Raises InvalidParam, Forbidden or NotFound.
        """
        sender, token = signed.get("sender"), signed.get("token")
        if not is_user_id(sender) or not isinstance(token, str) or not isinstance(signed.get("signatures"), dict):
            raise InvalidParam("third_party_signed needs sender, mxid, token and signatures")
        if signed.get("mxid") != user_id:
            raise Forbidden("third_party_signed is another user's")
        room = await self._rooms.find(room_id)
        if room is not None and room.membership(user_id) is not None:
            return  # there is nothing to be had by it
        try:
            await self._pass_on(BoundInvite(room_id, sender, signed), user_id)
        except PeerFailed as error:
            raise Forbidden("The server of whoever invited you cannot be asked, or refuses") from error

    async def _check_key(self, signed: dict[str, Any], original: Mapping[str, Any]) -> None:
        """Raises Forbidden for what the identity server did not sign, or stands by no more."""
        key = signed_by(signed, original)
        if not key:
            raise Forbidden("The identity server did not sign this")
        urls = validity_urls(original, key)
        keys = [(key, url) for url in dict.fromkeys(urls) if url is None or isinstance(url, str)]
        if not await self._validity.is_any_valid(keys[:MAX_VALIDITY_URLS]):
            raise Forbidden("The identity server stands by its key no more, or does not answer")

    async def _pass_on(self, invite: BoundInvite, user_id: str) -> None:
        """Who sent the invite signs it: this server, or another one that is asked to."""
        if self._residence.is_ours(invite.sender):
            await self._invite(invite, user_id)
            return
        server = domain_of(invite.sender)
        if not is_server_name(server):
            return
        path = path_of("/_matrix/federation/v1/exchange_third_party_invite/{}", invite.room_id)
        body = {
            "type": MEMBER,
            "room_id": invite.room_id,
            "sender": invite.sender,
            "state_key": user_id,
            "content": _content(invite, str(invite.signed.get("display_name", ""))),
        }
        await self._peers.put(server, path, body, timeout_s=TIMEOUT_S)

    async def _invite(self, invite: BoundInvite, user_id: str) -> None:
        room = await self._rooms.get(invite.room_id)
        token = invite.signed.get("token")
        key = (THIRD_PARTY_INVITE, token if isinstance(token, str) else "")
        await self._rooms.hold_state(room, [key])
        original = room.current(*key)
        if original is None or original.sender != invite.sender:
            raise Forbidden("The room has no such invite of an address")
        await self._check_key(invite.signed, original.content)
        content = _content(invite, original.content.get("display_name"))
        if self._residence.is_ours(user_id):
            draft = Draft(sender=invite.sender, type=MEMBER, content=content, state_key=user_id)
            await self._writer.send(invite.room_id, draft)
        else:
            await self._inviting.invite(invite.sender, user_id, invite.room_id, content)


def _signed(third_party_invite: Any) -> dict[str, Any] | None:
    signed = third_party_invite.get("signed") if isinstance(third_party_invite, dict) else None
    return signed if isinstance(signed, dict) else None


def _content(invite: BoundInvite, display_name: Any) -> dict[str, Any]:
    named = {"display_name": display_name if isinstance(display_name, str) else "", "signed": invite.signed}
    return {"membership": "invite", "third_party_invite": named}
