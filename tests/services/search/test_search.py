"""The words of events, and the index that holds them."""

import os
import random
from pathlib import Path

import pytest

from myelin.db.sql import Sql
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import ROOM_VERSIONS
from myelin.services.search.search_request import Place, parse_place
from myelin.services.search.search_term import MAX_PHRASES, MAX_ROOMS_IN_QUERY, parse_search_term
from myelin.services.search.searchable import MAX_WORDS, searchable_words
from room_house import room_house


def event(kind: str, content: object, state_key: str | None = None) -> Pdu:
    raw = {
        "type": kind,
        "content": content,
        "sender": "@a:hs1",
        "room_id": "!r:hs1",
        "origin_server_ts": 1,
        "depth": 1,
        "prev_events": [],
        "auth_events": [],
        "hashes": {"sha256": "x"},
        **({} if state_key is None else {"state_key": state_key}),
    }
    return parse_pdu(raw, ROOM_VERSIONS["11"], event_id="$e")


@pytest.mark.parametrize(
    ("pdu", "words"),
    [
        (event("m.room.message", {"body": "Hello, World!"}), "hello world"),
        (event("m.room.message", {"body": "天気 ok"}), "天 気 ok"),
        (event("m.room.message", {"body": 5}), ""),
        (event("m.room.message", {}), ""),
        (event("m.room.message", {"body": "state"}, ""), ""),
        (event("m.room.name", {"name": "The Name"}, ""), "the name"),
        (event("m.room.name", {"name": "no state"}), ""),
        (event("m.room.name", {"name": "other key"}, "x"), ""),
        (event("m.room.topic", {"topic": "T", "m.topic": {"m.text": [{"body": "U"}, 5, {"body": 6}]}}, ""), "t u"),
        (event("m.room.topic", {"topic": "T", "m.topic": {"m.text": "no list"}}, ""), "t"),
        (event("m.room.topic", {"m.topic": 5}, ""), ""),
        (event("m.room.encrypted", {"body": "x"}), ""),
    ],
)
def test_the_words_of_an_event(pdu: Pdu, words: str):
    assert searchable_words(pdu) == words


def test_a_long_message_is_indexed_as_far_as_the_limit():
    pdu = event("m.room.message", {"body": " ".join(f"w{i}" for i in range(MAX_WORDS + 1))})
    assert searchable_words(pdu).split()[-1] == f"w{MAX_WORDS - 1}"


def test_a_term_in_both_query_languages():
    term = parse_search_term('Käse "exact words" 天気 kase')
    assert term is not None
    assert term.fts5(["!a"]).startswith('words : ("kase" * AND "exact words" AND "天 気" *) AND room : ("r')
    assert term.tsquery() == "('kase':*) & ('exact' <-> 'words') & ('天' <-> '気':*)"
    many = [f"!{i}" for i in range(MAX_ROOMS_IN_QUERY + 1)]
    assert "room" not in term.fts5(many)
    assert term.tsquery(many) == term.tsquery()
    assert term.tsquery(many[:-1]).count("|") == MAX_ROOMS_IN_QUERY - 1


def test_a_term_has_no_more_phrases_than_are_looked_for():
    term = parse_search_term(" ".join(f"w{i}" for i in range(100)))
    assert term is not None
    assert len(term.phrases) == MAX_PHRASES


@pytest.mark.parametrize("text", ["", '""', '"', "...", '"!" ?'])
def test_a_term_without_words(text: str):
    assert parse_search_term(text) is None


def test_a_place_survives_its_token():
    for place in (Place(0.1 + 0.2, -5), Place(1e-300, 2**62, "room_id", "!ü:hs1")):
        assert parse_place(place.token()) == place


async def test_the_index_stays_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Messages and redactions in any order, with and without searches between, then SQLite's own check."""
    monkeypatch.setattr("myelin.services.search.search_index.INDEXED_AT_ONCE", 5)
    seed = int.from_bytes(os.urandom(4))
    chance = random.Random(seed)
    async with room_house(tmp_path) as home:
        await home.add_users("alice")
        room_id = await home.make_room("alice")
        said: list[str] = []

        for i in range(120):
            if said and chance.random() < 0.4:
                await home.redact(room_id, "alice", said.pop(chance.randrange(len(said))))
            else:
                said.append(await home.say(room_id, "alice", f"sound {i} {chance.choice(['ü', 'two words', '天気'])}"))
        database = home.ground.database
        rows = await database.fetch(Sql("SELECT COUNT(*) FROM event_search_docsize"), ())
        waiting = await database.fetch(Sql("SELECT COUNT(*) FROM event_search_waiting"), ())
        left = rows[0][0] + waiting[0][0]
        assert left == len(said), seed
        await database.execute(Sql("INSERT INTO event_search (event_search) VALUES ('integrity-check')"), ())
