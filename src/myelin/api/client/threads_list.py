"""The threads of a room (spec: threads_list.yaml)."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from myelin.api.client.reading_queries import page_size, position_of
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.rooms.presentation import Presentation, spliced
from myelin.services.rooms.threads import Threads
from myelin.services.rooms.tokens import page_token
from myelin.services.rooms.viewpoint import Viewpoints

endpoints = Endpoints(group="rooms")

DEFAULT_THREADS = 20


class ThreadsQuery(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Query parameters of `GET /threads`."""

    include: Literal["all", "participated"] = "all"
    limit: Annotated[int, Meta(gt=0)] = DEFAULT_THREADS
    from_: str | None = None


@endpoints.endpoint("GET /_matrix/client/v1/rooms/{room_id}/threads", limit="general", shard_by="room_id")
async def get_thread_roots(
    requester: Requester,
    viewpoints: Viewpoints,
    threads: Threads,
    presentation: Presentation,
    room_id: str,
    query: ThreadsQuery,
) -> dict[str, Any]:
    """List threads, the most recently active first."""
    view = await viewpoints.of(requester, room_id)
    is_own = query.include == "participated"
    page = await threads.page(view, position_of(query.from_), page_size(query.limit), participated=is_own)
    answer: dict[str, Any] = {"chunk": spliced(await presentation.of(view, page.roots))}
    if page.end is not None:
        answer["next_batch"] = page_token(page.end)
    return answer
