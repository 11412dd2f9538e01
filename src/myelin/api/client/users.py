"""Finding users (spec: users.yaml)."""

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.directory.user_directory import UserDirectory

endpoints = Endpoints(group="user_directory")

DEFAULT_LIMIT = 10


class UserSearch(msgspec.Struct):
    """What to look for, and how many users to give at most."""

    search_term: str
    limit: int = DEFAULT_LIMIT


class FoundUser(msgspec.Struct, omit_defaults=True):
    """A user."""

    user_id: str
    display_name: str | None = None
    avatar_url: str | None = None


class UserSearchResults(msgspec.Struct):
    """Users, best first; `limited` if there are more."""

    results: list[FoundUser]
    limited: bool


@endpoints.endpoint("POST /_matrix/client/v3/user_directory/search", limit="user_directory")
async def search_user_directory(requester: Requester, directory: UserDirectory, body: UserSearch) -> UserSearchResults:
    """Find users by their names."""
    found = await directory.search(requester.user_id, body.search_term, body.limit)
    return UserSearchResults([FoundUser(*user) for user in found.users], found.limited)
