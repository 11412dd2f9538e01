"""Creating rooms: all of a room's first events in one write."""

import asyncio

import structlog

from myelin.bus.news import RoomPublished
from myelin.config.sections.messaging import Rooms as RoomsConfig
from myelin.db.committer import AlreadyDone
from myelin.http.rate_limits import RateLimiter
from myelin.http.requester import Requester
from myelin.matrix.errors import (
    Forbidden,
    InvalidParam,
    InvalidRoomState,
    MatrixError,
    RoomInUse,
    UnsupportedRoomVersion,
)
from myelin.matrix.identifiers import is_user_id
from myelin.matrix.room_versions import ROOM_VERSIONS, RoomVersion
from myelin.services.directory.aliases import Aliases
from myelin.services.rooms.building import EVENT_ID_ALPHABET
from myelin.services.rooms.founding import ENCRYPTION, Founding
from myelin.services.rooms.invite_permission import InvitePermission
from myelin.services.rooms.new_room import NewRoom
from myelin.services.rooms.ports import AddressInvite, AddressInviteSources, MemberNames, RemoteRoomSources
from myelin.services.rooms.writer import Beside, RoomWriter
from myelin.store.directory import claim_alias, publish_room
from myelin.store.signals import put_room_published
from myelin.telemetry.ambient import Clock, Randomness

ROOM_ID_LENGTH = 18
INVITED_AT_ONCE = 10
"""Users of other servers who are invited to a new room at the same time."""

_log = structlog.get_logger("myelin.rooms")


class RoomCreation:
    """Creates rooms for users of this server."""

    def __init__(
        self,
        server_name: str,
        config: RoomsConfig,
        writer: RoomWriter,
        names: MemberNames,
        aliases: Aliases,
        permission: InvitePermission,
        remote: RemoteRoomSources,
        addresses: AddressInviteSources,
        limiter: RateLimiter,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._server_name = server_name
        self._config = config
        self._writer = writer
        self._names = names
        self._aliases = aliases
        self._permission = permission
        self._remote = remote
        self._addresses = addresses
        self._limiter = limiter
        self._clock = clock
        self._randomness = randomness

    async def create(self, creator: str, wanted: NewRoom, by: Requester | None = None) -> str:
        """Make a room; its ID. `by` is who asks for it, where an application service may act as the creator.

        Raises UnsupportedRoomVersion, RoomInUse, Exclusive, InvalidRoomState, InvalidParam, BadJson, Forbidden,
        LimitExceeded, M_INVITE_BLOCKED.
        """
        by_address = self._invited_by_address(wanted)
        version = supported_version(wanted.room_version or self._config.default_version)
        local, remote = await self._invited(creator, wanted, is_limited=by is None or by.is_limited)
        alias = None
        if wanted.room_alias_name is not None:
            name = f"#{wanted.room_alias_name}:{self._server_name}"
            alias = await self._aliases.check_new(creator, name, by.appservice_id if by is not None else None)
        names = await self._names.local_names([creator, *local])
        founding = Founding(
            creator, wanted, version, names, alias=alias, invited=local, encrypted=self._is_encrypted(wanted)
        )
        room_id = None if version.room_id_is_create_hash else new_room_id(self._server_name, self._randomness)
        try:
            room = await self._writer.create(
                room_id,
                version.identifier,
                founding.drafts(),
                beside=lambda made: self._beside(made, creator, alias, is_public=wanted.visibility == "public"),
            )
        except AlreadyDone:
            raise RoomInUse("The alias is taken") from None
        except Forbidden as error:
            raise InvalidRoomState(f"The room cannot be as you want it: {error.message}") from error
        await self._invite_remotely(creator, room.room_id, remote, wanted)
        await self._invite_by_address(creator, room.room_id, by_address, wanted, by)
        return room.room_id

    def _beside(self, room_id: str, creator: str, alias: str | None, *, is_public: bool) -> Beside:
        return Beside(
            claims=() if alias is None else (claim_alias(alias, room_id, creator, self._clock.now_ms()),),
            statements=lambda first: (publish_room(room_id), put_room_published(first, room_id)) if is_public else (),
            news=(RoomPublished(room_id),) if is_public else (),
        )

    async def _invited(self, creator: str, wanted: NewRoom, *, is_limited: bool) -> tuple[list[str], list[str]]:
        """Whom to invite, of this server and of others."""
        users = list(dict.fromkeys(wanted.invite or ()))
        if len(users) + len(wanted.invite_3pid or ()) > self._config.max_invites_at_creation:
            raise InvalidParam(f"At most {self._config.max_invites_at_creation} users can be invited at once")
        for user_id in users:
            if not is_user_id(user_id):
                raise InvalidParam("`invite` is a list of user IDs")
        local = [user_id for user_id in users if user_id.endswith(f":{self._server_name}")]
        remote = [user_id for user_id in users if user_id not in local]
        if remote and self._remote.first() is None:
            raise Forbidden("This server does not talk to other servers: only its own users can be invited")
        if local:
            await self._permission.check(local, creator)
            for user_id in local:
                if is_limited:
                    self._limiter.take("invites_per_user", user_id)
        return local, remote

    async def _invite_remotely(self, creator: str, room_id: str, users: list[str], wanted: NewRoom) -> None:
        """Invite users of other servers. The room is there, so that it is no failure if one of them cannot be asked."""
        port = self._remote.first()
        if port is None or not users:
            return
        content = {"membership": "invite", **({"is_direct": True} if wanted.is_direct else {})}
        turn = asyncio.Semaphore(INVITED_AT_ONCE)

        async def invite(user_id: str) -> None:
            try:
                async with turn:
                    await port.invite(creator, user_id, room_id, content)
            except MatrixError as error:
                _log.info("an invite to a new room failed", room_id=room_id, errcode=error.errcode)

        await asyncio.gather(*(invite(user_id) for user_id in users))

    def _invited_by_address(self, wanted: NewRoom) -> list[AddressInvite]:
        """Whom to invite by address. Raises M_SERVER_NOT_TRUSTED, or what makes an invite impossible."""
        port = self._addresses.first()
        if wanted.invite_3pid and port is None:
            raise MatrixError("This server uses no identity server", errcode="M_SERVER_NOT_TRUSTED", status=403)
        asked = [AddressInvite(i.medium, i.address, i.id_server, i.id_access_token) for i in wanted.invite_3pid or ()]
        return list(dict.fromkeys(port.check(one) for one in asked)) if port is not None else []

    async def _invite_by_address(
        self, creator: str, room_id: str, invites: list[AddressInvite], wanted: NewRoom, by: Requester | None
    ) -> None:
        """Invite who has, or will have, these addresses; it is no failure here either if that cannot be done."""
        port = self._addresses.first()
        content = {"is_direct": True} if wanted.is_direct else {}
        for invite in invites if port is not None else ():
            try:
                assert port is not None
                await port.invite(creator, room_id, invite, content, is_limited=by is None or by.is_limited)
            except MatrixError as error:
                _log.info("an invite by address to a new room failed", room_id=room_id, errcode=error.errcode)

    def _is_encrypted(self, wanted: NewRoom) -> bool:
        by_default = self._config.encryption_by_default
        if by_default == "none" or any(s.type == ENCRYPTION for s in wanted.initial_state or ()):
            return False
        return by_default == "all" or wanted.chosen_preset != "public_chat"


def supported_version(room_version: str) -> RoomVersion:
    """The room version. Raises UnsupportedRoomVersion."""
    version = ROOM_VERSIONS.get(room_version)
    if version is None:
        raise UnsupportedRoomVersion(f"This server does not support room version {room_version}")
    return version


def new_room_id(server_name: str, randomness: Randomness) -> str:
    """A room ID for versions that do not make it from the create event."""
    return f"!{randomness.string(ROOM_ID_LENGTH, EVENT_ID_ALPHABET)}:{server_name}"
