"""Delayed events (MSC4140)."""

from typing import Literal

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.delayed_events.delayed_events import DelayedEvents, Waiting

endpoints = Endpoints(group="rooms", auth=Auth.NONE)

BELOW = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"


class Action(msgspec.Struct, frozen=True):
    """What to do with a delayed event."""

    action: Literal["cancel", "restart", "send"]


class WaitingEvents(msgspec.Struct, frozen=True):
    """What the user has waiting."""

    delayed_events: list[Waiting]


@endpoints.endpoint(f"GET {BELOW}", auth=Auth.GUEST, limit="general")
async def get_delayed_events(requester: Requester, delayed: DelayedEvents) -> WaitingEvents:
    """List the user's delayed events."""
    return WaitingEvents(await delayed.of_user(requester.user_id))


@endpoints.endpoint(f"POST {BELOW}/{{delay_id}}", limit="general")
async def update_delayed_event(delayed: DelayedEvents, delay_id: str, body: Action) -> Empty:
    """Put off, call off or send a delayed event: whoever has its ID may."""
    await _ACTIONS[body.action](delayed, delay_id)
    return Empty()


@endpoints.endpoint(f"POST {BELOW}/{{delay_id}}/restart", limit="general")
async def restart_delayed_event(delayed: DelayedEvents, delay_id: str) -> Empty:
    """Let the delay begin again."""
    await delayed.restart(delay_id)
    return Empty()


@endpoints.endpoint(f"POST {BELOW}/{{delay_id}}/cancel", limit="general")
async def cancel_delayed_event(delayed: DelayedEvents, delay_id: str) -> Empty:
    """Never send it."""
    await delayed.cancel(delay_id)
    return Empty()


@endpoints.endpoint(f"POST {BELOW}/{{delay_id}}/send", limit="general")
async def send_delayed_event(delayed: DelayedEvents, delay_id: str) -> Empty:
    """Send it now."""
    await delayed.send(delay_id)
    return Empty()


_ACTIONS = {"cancel": DelayedEvents.cancel, "restart": DelayedEvents.restart, "send": DelayedEvents.send}
