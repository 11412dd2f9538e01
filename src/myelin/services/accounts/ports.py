"""What accounts tell to, and ask of, the parts of the server above them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from myelin.db.sql import Statement


class ProfileListener(Protocol):
    """Hears of changes of users' profiles, to write them into the rooms they are in."""

    async def profile_changed(self, user_id: str, field: str, value: Any) -> None:
        """`displayname` or `avatar_url` has this value now; None: it is gone."""
        ...


class ProfileListeners(list[ProfileListener]):
    """Parts that are built later add themselves."""


class RemoteProfiles(Protocol):
    """Fetches profiles of users of other servers."""

    async def profile(self, user_id: str, field: str | None) -> Mapping[str, Any]:
        """The whole profile or one field of it. Raises NotFound."""
        ...


class RemoteProfileSources(list[RemoteProfiles]):
    """The part that speaks to other servers adds itself; the first that is there is asked."""


class DeactivationListener(Protocol):
    """Hears of accounts that ended, to take them out of their rooms."""

    async def deactivated(self, user_id: str, *, is_erased: bool) -> None:
        """The account is gone; with `is_erased`, what it wrote is to be hidden from new members."""
        ...


class DeactivationListeners(list[DeactivationListener]):
    """Parts that are built later add themselves."""


class UserNamespaces(Protocol):
    """Names that are reserved for application services."""

    def is_exclusive(self, user_id: str) -> bool:
        """Whether only an application service may register the name."""
        ...


class ReservedUserNamespaces(list[UserNamespaces]):
    """Parts that reserve names add themselves."""


class DeviceDeletion(Protocol):
    """Deletes devices with all that hangs on them."""

    async def delete_all(self, user_id: str, *, but: str | None = None, also: Sequence[Statement] = ()) -> None:
        """Sign a user out everywhere, or everywhere but on one device; `also` is written with it."""
        ...
