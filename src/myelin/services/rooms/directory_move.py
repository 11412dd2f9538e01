"""Aliases of a room and its place on the public list go to the room that replaces it (spec: "Room upgrades")."""

from myelin.bus.news import RoomPublished
from myelin.db.committer import Committer, Write
from myelin.db.connection import Database
from myelin.services.directory.aliases import Aliases
from myelin.store.directory import DirectoryStore, move_aliases, publish_room, unpublish_room
from myelin.store.signals import put_room_published


class DirectoryMove:
    """Moves what this server's directory says of a room."""

    def __init__(self, aliases: Aliases, database: Database, committer: Committer) -> None:
        self._aliases = aliases
        self._directory = DirectoryStore(database)
        self._committer = committer

    async def moved(self, user_id: str, old_room_id: str, new_room_id: str) -> None:  # noqa: ARG002  (a RoomMove)
        """A user has come to a room that replaces another, as the other one's tombstone says."""
        await self.move(old_room_id, new_room_id)

    async def move(self, old_id: str, new_id: str) -> set[str]:
        """Point the aliases and the public list to the new room; the aliases."""
        moved = set(await self._aliases.of_room(old_id))
        is_public = await self._directory.is_published(old_id) is not None
        if moved or is_public:
            news = (RoomPublished(old_id), RoomPublished(new_id)) if is_public else ()
            published = (unpublish_room(old_id), publish_room(new_id)) if is_public else ()
            await self._committer.commit(
                Write(
                    lambda position: [
                        move_aliases(old_id, new_id),
                        *published,
                        *(put_room_published(position, told.room_id) for told in news),
                    ],
                    news=news,
                )
            )
        return moved
