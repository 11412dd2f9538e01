"""In which rooms users get the server's notices."""

from myelin.db.query import Store, query


class NoticeRoomStore(Store):
    """One room a user."""

    @query("SELECT room_id FROM notice_rooms WHERE user_id = :user_id")
    async def of_user(self, user_id: str) -> str | None:
        """A user's room."""

    @query("INSERT INTO notice_rooms (user_id, room_id) VALUES (:user_id, :room_id) ON CONFLICT (user_id) DO NOTHING")
    async def add(self, user_id: str, room_id: str) -> int:
        """Note a user's room, unless there is one; how many were noted."""
