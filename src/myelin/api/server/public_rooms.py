"""The list of public rooms for other servers (spec: server-server public_rooms.yaml)."""

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.directory.listing import EVERYTHING, Page, RoomFilter
from myelin.services.directory.networks import Networks
from myelin.services.directory.public_rooms import PublicRooms

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


class ListQuery(Networks, frozen=True):
    """Which part of which lists; a limit of 0 is none."""

    limit: int | None = None
    since: str | None = None


class ListBody(ListQuery, frozen=True):
    """Which part of the list, and which rooms of it."""

    filter: RoomFilter | None = None


@endpoints.endpoint("GET /_matrix/federation/v1/publicRooms", name="federation_get_public_rooms")
async def get_public_rooms(rooms: PublicRooms, query: ListQuery) -> Page:
    """List public rooms."""
    rooms.check_may_share()
    return await rooms.page(limit=query.limit or None, since=query.since, networks=query)


@endpoints.endpoint("POST /_matrix/federation/v1/publicRooms", name="federation_query_public_rooms", body_optional=True)
async def query_public_rooms(rooms: PublicRooms, body: ListBody) -> Page:
    """Search public rooms."""
    rooms.check_may_share()
    wanted = body.filter or EVERYTHING
    return await rooms.page(limit=body.limit or None, since=body.since, wanted=wanted, networks=body)
