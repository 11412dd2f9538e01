"""Who finds whom, by what."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from inprocess import SERVER_NAME
from myelin.config.sections.messaging import UserDirectory as UserDirectoryConfig
from myelin.db.committer import Write
from myelin.matrix.errors import InvalidParam
from myelin.services.accounts.ports import ProfileListeners, RemoteProfileSources
from myelin.services.accounts.profiles import ProfileService
from myelin.services.directory.user_directory import UserDirectory
from myelin.services.directory.user_words import MAX_WORDS_PER_USER, words_of_user
from myelin.services.folding import MAX_WORD_LENGTH, fold, words
from myelin.store.users import deactivate_user, put_locked
from room_house import House, room_house, user

MakeHouse = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> MakeHouse:
    """Start a house on each engine; the arguments are keys of `[user_directory]`."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""

    @asynccontextmanager
    async def start(**keys: Any) -> AsyncIterator[House]:
        async with room_house(tmp_path, url, user_directory=UserDirectoryConfig(**keys)) as home:
            yield home

    return start


async def name(home: House, who: str, display_name: str | None, avatar: str | None = None) -> None:
    ground = home.ground
    profiles = ProfileService(
        ground.database, ground.committer, SERVER_NAME, ProfileListeners(), RemoteProfileSources()
    )
    if display_name is not None:
        await profiles.put(user(who), "displayname", display_name)
    if avatar is not None:
        await profiles.put(user(who), "avatar_url", avatar)


async def found(home: House, searcher: str, term: str, limit: int = 10) -> list[str]:
    result = await home.services[UserDirectory].search(user(searcher), term, limit)
    return [entry.user_id.partition(":")[0][1:] for entry in result.users]


async def test_users_see_those_who_share_a_room_with_them(house: MakeHouse):
    async with house() as home:
        await home.add_users("alice", "bob", "bobby", "bobo")
        room_id = await home.make_room("alice", "bob")
        await home.make_room("bobby")
        assert await found(home, "alice", "bob") == ["bob"]
        assert await found(home, "bobby", "bob") == [], "a room that one has to oneself is shared with nobody"
        assert await found(home, "bobo", "bob") == []
        await home.set_membership(room_id, "bob", "leave")
        assert await found(home, "alice", "bob") == []


async def test_an_invited_user_is_not_in_the_room(house: MakeHouse):
    async with house() as home:
        await home.add_users("alice", "bob")
        await home.make_room("alice")
        assert await found(home, "bob", "alice") == []


@pytest.mark.parametrize(
    ("rules", "seen"),
    [
        ({"join_rule": "public"}, ["bob"]),
        ({"join_rule": "invite", "visibility": "world_readable"}, ["bob"]),
        ({"join_rule": "knock", "visibility": "shared"}, []),
    ],
)
async def test_everybody_sees_the_members_of_open_rooms(house: MakeHouse, rules: dict[str, str], seen: list[str]):
    async with house() as home:
        await home.add_users("alice", "bob")
        await home.make_room("bob", **rules)
        assert await found(home, "alice", "bob") == seen


async def test_a_room_that_closes_hides_its_members(house: MakeHouse):
    async with house() as home:
        await home.add_users("alice", "bob")
        room_id = await home.make_room("bob", join_rule="public", visibility="world_readable")
        assert await found(home, "alice", "bob") == ["bob"]
        await home.set_state(room_id, "bob", "m.room.join_rules", {"join_rule": "invite"})
        assert await found(home, "alice", "bob") == ["bob"]
        await home.set_state(room_id, "bob", "m.room.history_visibility", {"history_visibility": "joined"})
        assert await found(home, "alice", "bob") == []
        await home.set_state(room_id, "bob", "m.room.join_rules", {"join_rule": "public"})
        assert await found(home, "alice", "bob") == ["bob"]


async def test_all_users_of_the_server_where_the_configuration_says_so(house: MakeHouse):
    async with house(search_all_users=True) as home:
        await home.add_users("alice", "bob")
        await home.add_users("bobguest", kind="guest")
        assert await found(home, "alice", "bob") == ["bob"]


async def test_a_directory_that_is_switched_off_finds_nobody(house: MakeHouse):
    async with house(enabled=False, search_all_users=True) as home:
        await home.add_users("alice", "bob")
        assert await found(home, "alice", "bob") == []


@pytest.mark.parametrize(
    ("display_name", "term", "is_found"),
    [
        ("Zoë Müller", "zoe mull", True),
        ("Zoe Muller", "ZOË MÜLLER", True),
        ("Zoë Müller", "mull zo", True),
        ("Zoë Müller", "zoe muller x", False),
        ("Zoë Müller", "uller", False),
        ("STRASSE", "straße", True),
        ("Łukasz Øster", "lukasz os", True),
        ("Ελλάδα", "ελλαδα", True),
        ("ΣΊΣΥΦΟΣ", "σίσυφος", True),
        ("Анна Ёлкина", "елк", True),
        ("张三丰", "三", True),
        ("张三丰", "张", True),
        ("ｗｉｄｅ", "wide", True),
        ("Jean-Luc O'Neill", "luc o neill", True),
        ("100% *_' OR", "100", True),
        ("Anna", "ann%", True),
        ("Anna", "_nna", False),
        ("Anna", "", False),
        ("Anna", "  ", False),
        ("Anna", "!?", False),
        ("Anna", "an\x00na", True),
    ],
)
async def test_names_are_compared_as_people_read_them(house: MakeHouse, display_name: str, term: str, is_found: bool):
    async with house(search_all_users=True) as home:
        await home.add_users("alice", "qq")
        await name(home, "qq", display_name)
        assert await found(home, "alice", term) == (["qq"] if is_found else [])


@pytest.mark.parametrize(
    ("term", "names"),
    [
        ("john", ["john.smith"]),
        ("smith", ["john.smith"]),
        ("john.sm", ["john.smith"]),
        ("@john", ["john.smith"]),
        (f"@john.smith:{SERVER_NAME}", ["john.smith"]),
        ("@john.smith:h", ["john.smith"]),
        ("@JOHN", ["john.smith"]),
        ("@smith", []),
        ("@john.smith:elsewhere", []),
        ("@", []),
        ("@:hs1", []),
    ],
)
async def test_users_are_found_by_their_ids(house: MakeHouse, term: str, names: list[str]):
    async with house(search_all_users=True) as home:
        await home.add_users("alice", "john.smith")
        assert await found(home, "alice", term) == names


async def test_what_a_user_changes_is_searched_at_once(house: MakeHouse):
    async with house(search_all_users=True) as home:
        await home.add_users("alice", "bob")
        directory = home.services[UserDirectory]
        await name(home, "bob", "Robert", "mxc://hs1/robert")
        entry = (await directory.search(user("alice"), "robert", 10)).users[0]
        assert tuple(entry) == (user("bob"), "Robert", "mxc://hs1/robert")
        await name(home, "bob", "Bertie")
        assert await found(home, "alice", "robert") == []
        assert await found(home, "alice", "bert") == ["bob"]


async def test_accounts_that_ended_or_are_locked_are_not_found(house: MakeHouse):
    async with house(search_all_users=True) as home:
        await home.add_users("alice", "bob")
        assert await found(home, "alice", "bob") == ["bob"]
        for change, seen in (
            (put_locked(user("bob"), is_locked=True), []),
            (put_locked(user("bob"), is_locked=False), ["bob"]),
            (deactivate_user(user("bob"), is_erased=0), []),
        ):
            await home.ground.committer.commit(Write(lambda _, change=change: [change]))
            assert await found(home, "alice", "bob") == seen


async def test_the_best_come_first_and_the_limit_is_told(house: MakeHouse):
    async with house(search_all_users=True, max_results=4) as home:
        await home.add_users("alice", "ann", "anna", "annabel", "annette", "zed")
        await name(home, "annette", "Annette")
        await name(home, "zed", "Anna Z")
        directory = home.services[UserDirectory]
        assert await found(home, "alice", "anna") == ["zed", "anna", "annabel"]
        for limit, count, limited in ((0, 0, True), (3, 3, True), (4, 4, True), (50, 4, True)):
            result = await directory.search(user("alice"), "ann", limit)
            assert (len(result.users), result.limited) == (count, limited), limit
        exact = await directory.search(user("alice"), "anna", 3)
        assert (len(exact.users), exact.limited) == (3, False)
        with pytest.raises(InvalidParam):
            await directory.search(user("alice"), "ann", -1)


async def test_users_of_other_servers_are_found_in_the_rooms_they_are_in(house: MakeHouse):
    async with house(search_all_users=True) as home:
        await home.add_users("alice", "mallory")
        room_id = await home.make_room("alice")
        index = home.services[UserDirectory]
        await home.set_state(room_id, "alice", "m.room.join_rules", {"join_rule": "public"})
        await home.set_membership(room_id, "bob:far.org", "join", displayname="Bob\x00 Far")
        await home.set_state(room_id, "alice", "m.room.join_rules", {"join_rule": "invite"})
        result = await index.search(user("alice"), "far", 10)
        assert [tuple(u)[:2] for u in result.users] == [("@bob:far.org", "Bob Far")]
        assert (await index.search(user("mallory"), "far", 10)).users == []
        await home.set_membership(room_id, "bob:far.org", "join", displayname=["no", "text"])
        assert (await index.search(user("alice"), "far", 10)).users == []
        assert [u.user_id for u in (await index.search(user("alice"), "bob", 10)).users] == ["@bob:far.org"]
        await home.set_membership(room_id, "bob:far.org", "leave")
        assert (await index.search(user("alice"), "bob", 10)).users == []


async def test_more_users_than_are_refreshed_at_once(house: MakeHouse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("myelin.services.directory.user_directory.REFRESHED_AT_ONCE", 3)
    async with house(search_all_users=True) as home:
        await home.add_users("alice", *(f"user{i}" for i in range(8)))
        assert await found(home, "alice", "user", 20) == [f"user{i}" for i in range(8)]


def test_words():
    assert list(words("Hello, WORLD_x 9")) == ["hello", "world", "x", "9"]
    assert list(words("x" * 100)) == ["x" * MAX_WORD_LENGTH]
    assert fold("e\u0301") == fold("é") == fold("E") == "e"
    assert fold("ﬁ") == "fi"


def test_a_user_has_no_more_words_than_are_kept():
    assert len(words_of_user("@a:hs1", " ".join(f"w{i}" for i in range(200)))) == MAX_WORDS_PER_USER
    assert len(words_of_user("@a:hs1", "漢" * 60 + "字" * 60)) <= MAX_WORDS_PER_USER
    assert words_of_user("@a.b:hs1", "A B") == [b"a", b"b"]
