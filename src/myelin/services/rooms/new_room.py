"""What a client wants its new room to be (spec: create_room.yaml)."""

from typing import Any, Literal

import msgspec

Preset = Literal["private_chat", "public_chat", "trusted_private_chat"]


class InitialState(msgspec.Struct, frozen=True):
    """A state event that a client wants in its new room."""

    type: str
    content: dict[str, Any]
    state_key: str = ""


class InvitedAddress(msgspec.Struct, frozen=True):
    """Somebody whom a client invites by an address."""

    id_server: str
    id_access_token: str
    medium: str
    address: str


class NewRoom(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants its new room to be; see `POST /createRoom`."""

    visibility: Literal["public", "private"] | None = None
    room_alias_name: str | None = None
    name: str | None = None
    topic: str | None = None
    invite: tuple[str, ...] | None = None
    invite_3pid: tuple[InvitedAddress, ...] | None = None
    room_version: str | None = None
    creation_content: dict[str, Any] | None = None
    initial_state: tuple[InitialState, ...] | None = None
    preset: Preset | None = None
    is_direct: bool | None = None
    power_level_content_override: dict[str, Any] | None = None

    @property
    def chosen_preset(self) -> Preset:
        """The preset, by the visibility if none is named."""
        return self.preset or ("public_chat" if self.visibility == "public" else "private_chat")
