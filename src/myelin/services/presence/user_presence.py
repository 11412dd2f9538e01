"""One user's presence, put together from that of their devices (spec: "Presence")."""

from typing import Any, Final, Literal, cast

import orjson

State = Literal["online", "unavailable", "offline", "busy"]
STATES: Final[tuple[State, ...]] = ("offline", "unavailable", "online", "busy")
"""From the weakest to the strongest: a user is what their strongest device is."""
ACTIVE_FOR_S: Final = 60.0
"""For so long after something they did a user is currently active."""


class _Device:
    __slots__ = ("is_idle", "seen", "state")

    def __init__(self, state: State, seen: float) -> None:
        self.state: State = state
        self.seen = seen
        """When it was last connected, in seconds that never run backwards."""
        self.is_idle = False
        """The server, not the client, says that it is unavailable."""


class UserPresence:
    """State and last activity of a user. Times are in seconds that never run backwards."""

    __slots__ = ("_devices", "active_at", "currently_active", "heard_at", "serial", "state", "status_msg", "user_id")

    def __init__(self, user_id: str, status_msg: str | None) -> None:
        self.user_id = user_id
        self.status_msg = status_msg
        self.state: State = "offline"
        self.active_at: float | None = None
        self.currently_active = False
        self.heard_at: float | None = None
        """When another server said last how it is with its user; None for users of this one."""
        self.serial = 0
        """The number of the last change that others hear of."""
        self._devices: dict[str, _Device] = {}

    def set(self, device_id: str, state: State, now: float) -> None:
        """The client says what it is."""
        self._devices[device_id] = _Device(state, now)
        if state in ("online", "busy"):
            self.active_at = now

    def connected(self, device_id: str, state: State, now: float) -> bool:
        """The client is connected, and says what it is: whether it is something else than before.

        That it is online does not mean that the user does anything.
        """
        device = self._devices.get(device_id)
        if device is not None:
            device.seen = now
            if device.state == state or device.state == "busy" or (device.is_idle and state == "online"):
                return False
        self.set(device_id, state, now)
        return True

    def acted(self, device_id: str, now: float) -> None:
        """The user did something."""
        self.active_at = now
        device = self._devices.get(device_id)
        if device is not None and device.state == "unavailable":
            device.state = "online"
            device.is_idle = False

    def expire(self, now: float, *, offline_after: float, idle_after: float) -> None:
        """Devices that are not connected any more are gone; those of a user who does nothing are unavailable."""
        for device_id in [d for d, device in self._devices.items() if now - device.seen > offline_after]:
            del self._devices[device_id]
        if self.active_at is None or now - self.active_at > idle_after:
            for device in self._devices.values():
                if device.state == "online":
                    device.state = "unavailable"
                    device.is_idle = True

    def refresh(self, now: float) -> bool:
        """Put the devices together; whether others see a difference."""
        strongest = max((STATES.index(device.state) for device in self._devices.values()), default=0)
        state = STATES[strongest]
        is_active = state in ("online", "busy") and self.active_at is not None and now - self.active_at < ACTIVE_FOR_S
        changed = state != self.state or is_active != self.currently_active
        self.state, self.currently_active = state, is_active
        return changed

    def told(self, state: State, active_ago: float, currently_active: bool, status_msg: str | None, now: float) -> bool:
        """Another server says how it is with its user: whether others see a difference."""
        before = self.state, self.currently_active, self.status_msg
        self.state, self.currently_active, self.status_msg = state, currently_active, status_msg
        self.active_at, self.heard_at = now - active_ago, now
        return before != (state, currently_active, status_msg)

    def forget(self, now: float, silent_after: float) -> bool:
        """A user of another server that has said nothing for too long is offline: whether others see a difference."""
        if self.heard_at is None or now - self.heard_at < silent_after:
            return False
        self.state, self.currently_active = "offline", False
        return True

    def content(self, now: float) -> dict[str, Any]:
        """What others see now."""
        content: dict[str, Any] = {"presence": self.state}
        if self.active_at is not None:
            content["last_active_ago"] = max(0, int((now - self.active_at) * 1000))
        if self.state in ("online", "busy"):
            content["currently_active"] = self.currently_active
        if self.status_msg is not None:
            content["status_msg"] = self.status_msg
        return content

    def event(self, now: float) -> bytes:
        """The `m.presence` event as JSON."""
        return orjson.dumps({"type": "m.presence", "sender": self.user_id, "content": self.content(now)})


def is_state(value: Any) -> bool:
    """Whether a client may set this."""
    return value in STATES


def as_state(value: Any) -> State:
    """The state; only for what `is_state` lets through."""
    return cast("State", value)
