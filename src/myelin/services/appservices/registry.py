"""The application services of this server, and to whom of them somebody or something belongs."""

from collections.abc import Callable, Sequence

from myelin.bus.remembered import Remembered
from myelin.services.appservices.registration import Registration, token_hash

MAX_REMEMBERED_USERS = 100_000

Ids = frozenset[str]
"""IDs of application services."""
NONE: Ids = frozenset()


class Appservices:
    """All that are registered now. Who keeps something derived from them subscribes to `changed`."""

    def __init__(self) -> None:
        self.all: tuple[Registration, ...] = ()
        self._by_id: dict[str, Registration] = {}
        self._by_token: dict[str, Registration] = {}
        self._of_users: Remembered[str, Ids] = Remembered(MAX_REMEMBERED_USERS)
        self.changed: list[Callable[[], None]] = []
        """Called after each change."""

    def replace(self, registrations: Sequence[Registration]) -> None:
        """From now on these and no others."""
        self.all = tuple(registrations)
        self._by_id = {r.appservice_id: r for r in registrations}
        self._by_token = {r.token_hash: r for r in registrations}
        self._of_users = Remembered(MAX_REMEMBERED_USERS)
        for hear in self.changed:
            hear()

    def get(self, appservice_id: str) -> Registration | None:
        """One by its ID."""
        return self._by_id.get(appservice_id)

    def of_token(self, token: str | None) -> Registration | None:
        """Whose `as_token` this is."""
        if not self._by_token or not token:
            return None
        return self._by_token.get(token_hash(token))

    def of_user(self, user_id: str) -> Ids:
        """Those that have a user of this server in their namespaces."""
        if not self.all:
            return NONE
        held = self._of_users.recall(user_id)
        if held is None:
            held = frozenset(r.appservice_id for r in self.all if r.has_user(user_id))
            self._of_users.put(user_id, held)
        return held

    def of_users(self, user_ids: Sequence[str] | set[str]) -> Ids:
        """Those that have one of some users."""
        found = NONE
        for user_id in user_ids:
            found |= self.of_user(user_id)
        return found

    def with_alias(self, room_alias: str) -> list[Registration]:
        """Those that have an alias in their namespaces."""
        return [r for r in self.all if r.has_alias(room_alias)]
