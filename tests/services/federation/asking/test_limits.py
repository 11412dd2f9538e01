"""What is taken from other servers' answers, at the edges of the limits."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from held_clock import HeldClock
from myelin.matrix.errors import LimitExceeded, NotFound
from myelin.services.federation.asking import remote_directory, remote_media, remote_profiles, remote_spaces
from myelin.services.federation.asking.remote_directory import checked_alias, checked_page
from myelin.services.federation.asking.remote_media import FederatedMedia, filename_of
from myelin.services.federation.asking.remote_moments import checked_moment
from myelin.services.federation.asking.remote_profiles import FederatedProfiles
from myelin.services.federation.asking.remote_spaces import FederatedSpaces, checked_space
from myelin.services.federation.peers.downloads import PeerFile
from myelin.services.federation.peers.errors import PeerNonsense, PeerRefused

ROOM = {"room_id": "!r:there", "num_joined_members": 1, "world_readable": True, "guest_can_join": False}


class FakePeers:
    """Answers everything alike, and counts."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def get(self, server_name: str, _path: str, **_how: object) -> Any:
        self.asked.append(server_name)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @asynccontextmanager
    async def download(self, server_name: str, _path: str, **_how: object) -> AsyncIterator[PeerFile]:
        self.asked.append(server_name)
        yield PeerFile("text/plain", None, _no_chunks())


async def _no_chunks() -> AsyncIterator[bytes]:
    for chunk in ():
        yield chunk


async def test_so_many_files_are_fetched_from_one_server_and_no_more() -> None:
    media = FederatedMedia(FakePeers(None), 1000)  # type: ignore[arg-type]
    async with AsyncExitStack() as stack:
        for number in range(remote_media.MAX_FETCHES_PER_SERVER):
            await stack.enter_async_context(media.download("there", str(number), timeout_ms=1))
        with pytest.raises(LimitExceeded):
            await stack.enter_async_context(media.download("there", "one more", timeout_ms=1))
        await stack.enter_async_context(media.download("elsewhere", "other", timeout_ms=1))
    async with media.download("there", "afterwards", timeout_ms=1) as file:
        assert file.content_type == "text/plain"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (None, None),
        ("inline", None),
        ("attachment; filename=plain.txt", "plain.txt"),
        ('attachment; filename="two words.txt"', "two words.txt"),
        ("attachment; filename*=utf-8''%C3%A4.txt", "ä.txt"),
        ("attachment; filename=" + "a" * remote_media.MAX_DISPOSITION_LENGTH, None),
    ],
)
def test_file_names_are_read_in_all_their_forms(header: str | None, name: str | None) -> None:
    assert filename_of(header) == name


async def test_a_profile_is_asked_for_once_in_a_while() -> None:
    peers, clock = FakePeers({"displayname": "A", "avatar_url": "https://tracker", "m.tz": 5, "x": None}), HeldClock()
    profiles = FederatedProfiles(peers, clock)  # type: ignore[arg-type]
    for _ in range(3):
        assert await profiles.profile("@a:there", None) == {"displayname": "A"}
    assert peers.asked == ["there"]
    clock.pass_ms(int(remote_profiles.KEPT_S * 1000))
    await profiles.profile("@a:there", None)
    assert peers.asked == ["there", "there"]
    peers.answer = PeerRefused(404, "M_NOT_FOUND", "no")
    with pytest.raises(NotFound):
        await profiles.profile("@b:there", "displayname")


async def test_so_many_servers_are_asked_for_one_room() -> None:
    peers = FakePeers(PeerRefused(404, "M_NOT_FOUND", "no"))
    spaces = FederatedSpaces("here", peers, HeldClock())  # type: ignore[arg-type]
    via = ["here", "not a name", *(f"s{n}" for n in range(9))]
    assert await spaces.space("!r:there", via, suggested_only=False) is None
    assert peers.asked == [f"s{n}" for n in range(remote_spaces.MAX_SERVERS)]


def test_a_space_has_so_many_children_and_only_real_ones() -> None:
    def child(number: int, **changes: object) -> dict[str, object]:
        event = {"type": "m.space.child", "state_key": f"!c{number}:there", "sender": "@a:there"}
        return {**event, "origin_server_ts": number, "content": {"via": ["there"]}, "age": 5, **changes}

    def told(children: Iterable[dict[str, object]]) -> list[str]:
        space = checked_space({"room": {**ROOM, "children_state": list(children)}}, "!r:there")
        return [child["state_key"] for child in space.room.children_state]

    most = remote_spaces.MAX_CHILDREN
    assert len(told(child(n) for n in range(most + 5))) == most
    assert told([child(2), child(1), child(1, content={"via": []}), child(3, sender="x"), child(4, type="x")]) == [
        "!c1:there",
        "!c2:there",
    ]
    with pytest.raises(PeerNonsense):
        checked_space({"room": {**ROOM, "children_state": []}}, "!another:there")


def test_a_list_has_so_many_rooms_and_tokens_of_some_length() -> None:
    rooms = [{**ROOM, "room_id": f"!r{n}:there"} for n in range(9)]
    token = "x" * remote_directory.MAX_TOKEN_CHARS
    page = checked_page({"chunk": rooms, "next_batch": token, "prev_batch": token + "x"}, 4)
    assert (len(page.chunk), page.next_batch, page.prev_batch) == (4, token, None)


def test_an_alias_names_so_many_servers_and_its_own() -> None:
    named = [f"s{n}" for n in range(remote_directory.MAX_SERVERS + 9)]
    found = checked_alias({"room_id": "!r:there", "servers": named}, "there")
    assert (len(found.servers), found.servers[-1]) == (remote_directory.MAX_SERVERS, "there")


@pytest.mark.parametrize(("at", "is_back"), [(11, True), (9, False)])
def test_a_moment_on_the_wrong_side_is_nonsense(at: int, is_back: bool) -> None:
    answer = {"event_id": "$event", "origin_server_ts": at}
    with pytest.raises(PeerNonsense):
        checked_moment(answer, 10, is_back=is_back)
    assert checked_moment(answer, 10, is_back=not is_back).origin_server_ts == at
    assert checked_moment({**answer, "origin_server_ts": 10}, 10, is_back=is_back).event_id == "$event"
