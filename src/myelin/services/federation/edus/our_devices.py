"""The devices of our users as other servers see them (spec: `GET /user/devices/{userId}`)."""

from typing import Any

from myelin.matrix.errors import NotFound
from myelin.matrix.identifiers import is_user_id
from myelin.services.federation.edus.announcements import Announcements, as_user_devices
from myelin.services.federation.edus.sharing import Sharing


class OurDevices:
    """Answers for users of this server, and for nobody else."""

    def __init__(self, sharing: Sharing, announcements: Announcements) -> None:
        self._sharing = sharing
        self._announcements = announcements

    async def of(self, user_id: str) -> dict[str, Any]:
        """All devices of a user with keys. Raises NotFound for who is not a user of this server."""
        if not is_user_id(user_id) or not self._sharing.is_local(user_id):
            raise NotFound("This is no user of this server")
        return as_user_devices(user_id, await self._announcements.of(user_id))
