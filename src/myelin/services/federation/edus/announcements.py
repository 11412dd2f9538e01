"""Tell other servers of the devices and keys of our users (spec: server-server API, "Device Management").

What was told last is kept as digests: whatever happened since, the difference is told, and nothing twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from myelin.bus.news import EdusQueued
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.db.sql import Statement
from myelin.matrix.canonical_json import encode_canonical_json
from myelin.services.e2ee.key_query import KeyQueries
from myelin.services.federation.edus.sharing import Sharing
from myelin.services.federation.sending.fleeting_edus import edu_json
from myelin.services.federation.sending.outgoing_queue import edu_statements
from myelin.services.federation.sending.ports import Changes
from myelin.store.announced_devices import (
    AnnouncedDeviceStore,
    delete_announced_device,
    put_announced_device,
    put_device_stream,
)
from myelin.telemetry.ambient import Clock

UPDATE = "m.device_list_update"
SIGNING_KEYS = "m.signing_key_update"
MAX_UPDATES = 20
"""Where more devices changed at once, only the last is told, in a way that has others fetch the whole list."""
DIGEST_BYTES = 16
CROSS_SIGNING = ""


class UserKeys(NamedTuple):
    """What others may know of a user's keys, and the number of the last announcement."""

    stream_id: int
    last_device_id: str
    devices: Mapping[str, Any]
    """Identity keys by device."""
    cross_signing: Mapping[str, Any]
    """`master_key` and `self_signing_key`."""


class _Edu(NamedTuple):
    json: bytes
    replaces: str


class Announcements:
    """Follows the log in the process that sends."""

    def __init__(
        self, database: Database, committer: Committer, queries: KeyQueries, sharing: Sharing, clock: Clock
    ) -> None:
        self._store = AnnouncedDeviceStore(database)
        self._committer = committer
        self._queries = queries
        self._sharing = sharing
        self._clock = clock

    async def take_in(self, changes: Changes) -> None:
        """Announce what changed, and users to servers that they meet."""
        for user_id in changes.users:
            await self._announce(user_id)
        for moved in changes.joined:
            await self._introduce(moved.user_id, moved.room_id)

    async def of(self, user_id: str) -> UserKeys:
        """A user of this server as others see them."""
        # The number first: a change that comes in between is announced after it, and changes nothing then.
        stream = await self._store.stream(user_id)
        keys = await self._queries.query_local("", {user_id: []})
        cross_signing = {
            f"{usage}_key": keys[f"{usage}_keys"][user_id]
            for usage in ("master", "self_signing")
            if user_id in keys[f"{usage}_keys"]
        }
        stream_id, device_id = (0, "") if stream is None else stream
        return UserKeys(stream_id, device_id, keys["device_keys"].get(user_id, {}), cross_signing)

    async def _announce(self, user_id: str) -> None:
        servers = await self._sharing.servers_of(user_id)
        if not servers:
            return
        user = await self.of(user_id)
        told = {row.device_id: row.digest for row in await self._store.announced(user_id)}
        now = {device_id: _digest(keys) for device_id, keys in user.devices.items()}
        if user.cross_signing or CROSS_SIGNING in told:
            now[CROSS_SIGNING] = _digest(user.cross_signing)
        changed = [device_id for device_id in sorted({**told, **now}) if told.get(device_id) != now.get(device_id)]
        if not changed:
            return
        notes: list[Statement] = []
        for device_id in changed:
            digest = now.get(device_id)
            notes.append(
                delete_announced_device(user_id, device_id)
                if digest is None
                else put_announced_device(user_id, device_id, digest)
            )
        devices = [device_id for device_id in changed if device_id != CROSS_SIGNING]
        if devices:
            notes.append(put_device_stream(user_id, user.stream_id + len(devices), devices[-1]))
        edus = _updates(user_id, user, devices)
        if CROSS_SIGNING in changed:
            content = {"user_id": user_id, **user.cross_signing}
            edus.append(_Edu(edu_json(SIGNING_KEYS, content), f"keys {user_id}"))
        await self._queue(servers, edus, notes)

    async def _introduce(self, user_id: str, room_id: str) -> None:
        """Servers that begin to share a room with a user are told of one device: they fetch the others."""
        there = set(await self._sharing.servers_in(room_id))
        if not there:
            return
        new = there.difference(await self._store.servers_elsewhere(user_id, room_id))
        if not new:
            return
        user = await self.of(user_id)
        if not user.devices:
            return
        device_id = user.last_device_id if user.last_device_id in user.devices else next(iter(user.devices))
        content = _content(user_id, device_id, user, user.stream_id, [])
        await self._queue(new, [_Edu(edu_json(UPDATE, content), f"device {user_id} {device_id}")], [])

    async def _queue(self, servers: Iterable[str], edus: Sequence[_Edu], notes: Sequence[Statement]) -> None:
        names, now_ms = tuple(sorted(servers)), self._clock.now_ms()

        def statements(position: int) -> list[Statement]:
            made = list(notes)
            for number, edu in enumerate(edus):
                made += edu_statements(names, position, number, edu.json, now_ms, edu.replaces)
            return made

        await self._committer.commit(Write(statements, news=[EdusQueued(names)]))


def _updates(user_id: str, user: UserKeys, devices: Sequence[str]) -> list[_Edu]:
    """An EDU a device, each following on the one before."""
    numbered = list(enumerate(devices, user.stream_id + 1))
    if len(devices) > MAX_UPDATES:
        numbered = numbered[-1:]
    return [
        _Edu(
            edu_json(UPDATE, _content(user_id, device_id, user, stream_id, [stream_id - 1])),
            f"device {user_id} {device_id}",
        )
        for stream_id, device_id in numbered
    ]


def _content(user_id: str, device_id: str, user: UserKeys, stream_id: int, prev_id: Sequence[int]) -> dict[str, Any]:
    content: dict[str, Any] = {
        "user_id": user_id,
        "device_id": device_id,
        "stream_id": stream_id,
        "prev_id": list(prev_id),
    }
    keys = user.devices.get(device_id)
    if keys is None:
        return {**content, "deleted": True}
    name = keys["unsigned"].get("device_display_name")
    content["keys"] = {key: value for key, value in keys.items() if key != "unsigned"}
    return content if name is None else {**content, "device_display_name": name}


def _digest(keys: Any) -> bytes:
    return blake2b(encode_canonical_json(keys), digest_size=DIGEST_BYTES).digest()


def as_user_devices(user_id: str, user: UserKeys) -> dict[str, Any]:
    """The answer of `/user/devices`."""
    devices = []
    for device_id, keys in user.devices.items():
        shown = {key: value for key, value in keys.items() if key != "unsigned"}
        name = keys["unsigned"].get("device_display_name")
        named = {} if name is None else {"device_display_name": name}
        devices.append({"device_id": device_id, "keys": shown, **named})
    return {"user_id": user_id, "stream_id": user.stream_id, "devices": devices, **user.cross_signing}
