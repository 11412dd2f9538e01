"""EDUs as other servers send them, parsed strictly: what does not have the shape is nothing (spec: "EDUs")."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from myelin.matrix.limits import MAX_JSON_INT

Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_JSON_INT)]
S = TypeVar("S", bound=msgspec.Struct)

MAX_PREV_IDS = 100


class Typing(msgspec.Struct, frozen=True):
    """`m.typing`."""

    room_id: Identifier
    user_id: Identifier
    typing: bool


class ReceiptData(msgspec.Struct, frozen=True):
    """When, and in which thread."""

    ts: Number
    thread_id: Identifier | None = None


class UserReceipt(msgspec.Struct, frozen=True):
    """A user's receipt in a room."""

    event_ids: Annotated[list[Identifier], msgspec.Meta(min_length=1, max_length=100)]
    data: ReceiptData


class UserPresence(msgspec.Struct, frozen=True):
    """An entry of `m.presence`."""

    user_id: Identifier
    presence: Literal["offline", "unavailable", "online", "busy"]
    last_active_ago: Number = 0
    currently_active: bool = False
    status_msg: str | None = None


class DirectToDevice(msgspec.Struct, frozen=True):
    """`m.direct_to_device`."""

    sender: Identifier
    type: Identifier
    message_id: Identifier
    messages: dict[str, dict[str, dict[str, Any]]]


class DeviceListUpdate(msgspec.Struct, frozen=True):
    """`m.device_list_update`."""

    user_id: Identifier
    device_id: Identifier
    stream_id: Number
    prev_id: Annotated[list[Number], msgspec.Meta(max_length=MAX_PREV_IDS)] = []
    device_display_name: str | None = None
    deleted: bool = False
    keys: dict[str, Any] | None = None


class SigningKeyUpdate(msgspec.Struct, frozen=True):
    """`m.signing_key_update`."""

    user_id: Identifier
    master_key: dict[str, Any] | None = None
    self_signing_key: dict[str, Any] | None = None


class UserDevice(msgspec.Struct, frozen=True):
    """A device in the answer of `/user/devices`."""

    device_id: Identifier
    keys: dict[str, Any] | None = None
    device_display_name: str | None = None


class UserDevices(msgspec.Struct, frozen=True):
    """The answer of `/user/devices`."""

    user_id: Identifier
    stream_id: Number
    devices: list[Any]
    master_key: dict[str, Any] | None = None
    self_signing_key: dict[str, Any] | None = None


def parsed(value: Any, kind: type[S]) -> S | None:
    """The value as a Struct, or None where it has another shape, or holds what no database keeps."""
    try:
        found = msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None
    if any(isinstance(text, str) and "\0" in text for text in msgspec.structs.asdict(found).values()):
        return None
    return found
