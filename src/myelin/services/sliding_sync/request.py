"""The body of a sliding sync request, as it is sent and as it is worked with (MSC4186)."""

from typing import Any, TypeVar

import msgspec

from myelin.matrix.errors import BadJson, InvalidParam, MissingParam
from myelin.matrix.events.pdu import StateKey
from myelin.services.sliding_sync.required_state import RequiredState
from myelin.services.sliding_sync.room_filters import FiltersBody, RoomFilters, compile_filters

MAX_LISTS = 100
MAX_SUBSCRIPTIONS = 100
MAX_RANGES = 100
MAX_REQUIRED_STATE = 500
MAX_NAME_CHARS = 255
"""Of a `conn_id`, or of a list's name."""

T = TypeVar("T")
_NOTHING = msgspec.Raw(b"{}")


class ScopedBody(msgspec.Struct, frozen=True):
    """An extension that speaks of rooms: those of some lists, and some of those that are subscribed to."""

    enabled: bool = False
    lists: list[str] | None = None
    rooms: list[str] | None = None


class ToDeviceBody(msgspec.Struct, frozen=True):
    """Messages for the device, with a token of their own."""

    enabled: bool = False
    limit: int = 100
    since: str | None = None


class E2eeBody(msgspec.Struct, frozen=True):
    """Device lists and key counts."""

    enabled: bool = False


class ThreadsBody(msgspec.Struct, frozen=True):
    """Threads that the user subscribed to."""

    enabled: bool = False
    limit: int = 100


class StickyBody(msgspec.Struct, frozen=True):
    """Sticky events, with a token of their own."""

    enabled: bool = False
    limit: int = 100
    since: str | None = None


class ExtensionsBody(msgspec.Struct, frozen=True):
    """What is asked for beside rooms; extensions that are not known here are passed over."""

    to_device: ToDeviceBody | None = None
    e2ee: E2eeBody | None = None
    account_data: ScopedBody | None = None
    receipts: ScopedBody | None = None
    typing: ScopedBody | None = None
    thread_subscriptions: ThreadsBody | None = msgspec.field(
        default=None, name="io.element.msc4308.thread_subscriptions"
    )
    sticky_events: StickyBody | None = msgspec.field(default=None, name="org.matrix.msc4354.sticky_events")


class SlidingSyncBody(msgspec.Struct, frozen=True):
    """A request's body. Lists and subscriptions stay JSON: a client sends the same ones again and again."""

    conn_id: str | None = None
    txn_id: str | None = None
    lists: msgspec.Raw = _NOTHING
    room_subscriptions: msgspec.Raw = _NOTHING
    extensions: ExtensionsBody | None = None


class _ConfigBody(msgspec.Struct, frozen=True):
    timeline_limit: int
    required_state: list[tuple[str, str]]


class _ListBody(msgspec.Struct, frozen=True):
    timeline_limit: int
    required_state: list[tuple[str, str]]
    ranges: list[tuple[int, int]] | None = None
    filters: FiltersBody | None = None


_LISTS = msgspec.json.Decoder(dict[str, _ListBody] | None)
_SUBSCRIPTIONS = msgspec.json.Decoder(dict[str, _ConfigBody] | None)


class RoomConfig(msgspec.Struct, frozen=True):
    """What is wanted of a room."""

    limit: int
    required: RequiredState

    def union(self, other: "RoomConfig") -> "RoomConfig":
        """What either of two wants."""
        required = self.required if self.required is other.required else self.required.union(other.required)
        return RoomConfig(max(self.limit, other.limit), required)


class RoomList(msgspec.Struct, frozen=True):
    """A window on the user's rooms."""

    ranges: tuple[tuple[int, int], ...] | None
    """Both ends included; None: all rooms."""
    filters: RoomFilters | None
    config: RoomConfig


class Wanted(msgspec.Struct, frozen=True, eq=False):
    """Lists and subscriptions, ready for use."""

    lists_json: bytes
    subscriptions_json: bytes
    lists: dict[str, RoomList]
    subscriptions: dict[str, RoomConfig]

    def is_of(self, body: SlidingSyncBody) -> bool:
        """Whether a request asks for the same."""
        return bytes(body.lists) == self.lists_json and bytes(body.room_subscriptions) == self.subscriptions_json


def parse_wanted(body: SlidingSyncBody, user_id: str, max_limit: int) -> Wanted:
    """Read lists and subscriptions. Raises BadJson, MissingParam or InvalidParam."""
    lists = _decode(_LISTS, body.lists) or {}
    subscriptions = _decode(_SUBSCRIPTIONS, body.room_subscriptions) or {}
    if len(lists) > MAX_LISTS:
        raise InvalidParam(f"There may be no more than {MAX_LISTS} lists")
    if len(subscriptions) > MAX_SUBSCRIPTIONS:
        raise InvalidParam(f"There may be no more than {MAX_SUBSCRIPTIONS} room subscriptions")
    if any(len(name) > MAX_NAME_CHARS for name in lists):
        raise InvalidParam(f"A list's name may have no more than {MAX_NAME_CHARS} characters")
    return Wanted(
        bytes(body.lists),
        bytes(body.room_subscriptions),
        {name: _list(given, user_id, max_limit) for name, given in lists.items()},
        {
            room_id: _config(given.timeline_limit, given.required_state, user_id, max_limit)
            for room_id, given in subscriptions.items()
        },
    )


def _decode(decoder: "msgspec.json.Decoder[T]", raw: msgspec.Raw) -> T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        text = str(error)
        raise (MissingParam(text) if "missing required field" in text else BadJson(text)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadJson("The body cannot be read") from error


def _list(given: _ListBody, user_id: str, max_limit: int) -> RoomList:
    ranges = given.ranges
    if ranges is not None:
        if len(ranges) > MAX_RANGES:
            raise InvalidParam(f"A list may have no more than {MAX_RANGES} ranges")
        if any(not 0 <= first <= last for first, last in ranges):
            raise InvalidParam("A range must be two indexes, the smaller one first")
    return RoomList(
        None if ranges is None else tuple(ranges),
        compile_filters(given.filters),
        _config(given.timeline_limit, given.required_state, user_id, max_limit),
    )


def _config(limit: int, required: list[StateKey], user_id: str, max_limit: int) -> RoomConfig:
    if limit < 0:
        raise InvalidParam("timeline_limit must not be negative")
    if len(required) > MAX_REQUIRED_STATE:
        raise InvalidParam(f"required_state may have no more than {MAX_REQUIRED_STATE} entries")
    return RoomConfig(min(limit, max_limit), RequiredState.of(required, user_id))


def enabled_extensions(body: ExtensionsBody | None) -> frozenset[str]:
    """Names of the extensions that are asked for."""
    if body is None:
        return frozenset()
    given: dict[str, Any] = {name: getattr(body, name) for name in body.__struct_fields__}
    return frozenset(name for name, extension in given.items() if extension is not None and extension.enabled)
