"""Who may see an event of a room's past (spec: room history visibility).

The verdict depends on the state of the room at the event, so the caller brings what the state before it says.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from myelin.matrix.events.pdu import Pdu


class HistoryVisibility(StrEnum):
    """The values of `m.room.history_visibility`."""

    WORLD_READABLE = "world_readable"
    SHARED = "shared"
    INVITED = "invited"
    JOINED = "joined"


_BY_VALUE = {visibility.value: visibility for visibility in HistoryVisibility}


def visibility_of(content: Mapping[str, Any] | None) -> HistoryVisibility:
    """The visibility that an `m.room.history_visibility` content sets: `shared` where absent or not understood."""
    value = content.get("history_visibility") if content is not None else None
    return _BY_VALUE.get(value, HistoryVisibility.SHARED) if isinstance(value, str) else HistoryVisibility.SHARED


class Standing(NamedTuple):
    """What the room's state just before an event says that decides who sees it."""

    visibility: HistoryVisibility
    membership: str | None
    """The user's membership; None where there was no membership event."""


def user_may_see(event: Pdu, user_id: str, before: Standing, *, joined_later: bool) -> bool:
    """Whether a user may see the event.

    `joined_later` says whether the user was joined at any moment after the event: joined now, or joined and left
    since. For changes of the visibility and of the user's own membership, before and after the event both count.
    """
    if _allows(before.visibility, before.membership, joined_later):
        return True
    if event.type == "m.room.history_visibility" and event.state_key == "":
        return _allows(visibility_of(event.content), before.membership, joined_later)
    if event.type == "m.room.member" and event.state_key == user_id:
        return _allows(before.visibility, _membership(event.content), joined_later)
    return False


def user_may_see_message(before: Standing, *, joined_later: bool) -> bool:
    """Whether a user may see an event that is no state event; see `user_may_see`."""
    return _allows(before.visibility, before.membership, joined_later)


def server_may_see(
    event: Pdu,
    server_name: str,
    visibility: HistoryVisibility,
    memberships: Mapping[str, str],
    *,
    joined_later: bool,
) -> bool:
    """Whether a server may see the event: whether any of its users may.

    `memberships` are those of the server's users just before the event; `joined_later` says whether any of them was
    joined after it. An event that a server may not see is sent to it redacted.
    """
    users: dict[str, str | None] = dict(memberships)
    if event.state_key is not None and event.state_key.partition(":")[2] == server_name:
        users.setdefault(event.state_key, None)  # its own membership event may be what lets it see
    if not users:
        users = {"": None}
    return any(
        user_may_see(event, user_id, Standing(visibility, membership), joined_later=joined_later)
        for user_id, membership in users.items()
    )


def _allows(visibility: HistoryVisibility, membership: str | None, joined_later: bool) -> bool:
    # 1. and 2.
    if visibility is HistoryVisibility.WORLD_READABLE or membership == "join":
        return True
    # 3.
    if visibility is HistoryVisibility.SHARED and joined_later:
        return True
    # 4., or else 5.
    return visibility is HistoryVisibility.INVITED and membership == "invite"


def _membership(content: Mapping[str, Any]) -> str | None:
    membership = content.get("membership")
    return membership if isinstance(membership, str) else None
