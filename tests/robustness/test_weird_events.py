"""Whatever users send to a room, nobody in it stops hearing from it.

`FUZZ_EXAMPLES` asks for more, and for other examples each time.
"""

import asyncio
import functools
import json
import os
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from inprocess import Client
from robustness.fuzzed import Fuzzed, fuzzed_server
from robustness.weird import MESSAGES, STATES, Weird, events, initial_states, mutated, values

pytestmark = pytest.mark.slow

LONG = "FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "30"))
SEED = random.randrange(2**32) if LONG else 4
REDACT = 3
PARTS = ["name", "topic", "preset", "invite", "room_version", "visibility", "is_direct"]

READS = (
    "sync?timeout=0",
    'sync?timeout=0&full_state=true&since={since}&filter={{"room":{{"state":{{"lazy_load_members":true}}}}}}',
    "sync?timeout=0&since={since}&use_state_after=true",
    "rooms/{room}/messages?dir=b&limit=100",
    "rooms/{room}/messages?dir=f&limit=100",
    "rooms/{room}/members",
    "rooms/{room}/joined_members",
    "rooms/{room}/state",
    "rooms/{room}/context/{event}?limit=50",
    "rooms/{room}/initialSync",
    "rooms/{room}/aliases",
    "/_matrix/client/v1/rooms/{room}/relations/{event}",
    "/_matrix/client/v1/rooms/{room}/threads",
    "/_matrix/client/v1/rooms/{room}/hierarchy",
    "/_matrix/client/v1/room_summary/{room}",
    "publicRooms",
    "notifications",
    "joined_rooms",
    "events?timeout=0&from={since}",
    "pushrules/",
)

Ask = Callable[..., Any]


class Scene:
    """Two users in a room, and one event to refer to."""

    def __init__(self, ask: Ask, users: list[Client], room_id: str, since: str) -> None:
        self._ask = ask
        self.users = users
        self.room_id = room_id
        self.since = since
        said = ask(users[1], "PUT", f"{self._room}/send/m.room.message/first", {"msgtype": "m.text", "body": "first"})
        self.event_id = said.json.get("event_id", "$none")
        self.names = {"@alice": users[0].user_id, "@bob": users[1].user_id, "!room": room_id, "$event": self.event_id}
        self.sent: list[str] = []

    @property
    def _room(self) -> str:
        return f"rooms/{quote(self.room_id)}"

    def send(self, number: int, user: Client, weird: Weird) -> None:
        names = {**self.names, "@me": user.user_id}
        body, key = weird.body(names), names.get(weird.state_key, weird.state_key)
        other = self.users[1] if user is self.users[0] else self.users[0]
        match weird.kind:
            case "message":
                method, path = "PUT", f"{self._room}/send/{weird.type}/n{number}"
            case "state":
                method, path = "PUT", f"{self._room}/state/{weird.type}/{_quoted(key)}"
            case "data":
                method, path = "PUT", f"user/{quote(user.user_id)}/account_data/{weird.type}"
            case "to_device":
                body = b'{"messages":{"%s":{"*":%s}}}' % (other.user_id.encode(), body)
                method, path = "PUT", f"sendToDevice/{weird.type}/n{number}"
            case _:
                body = b'{"%s":%s}' % (weird.type.encode(), body)
                method, path = "PUT", f"profile/{quote(user.user_id)}/{weird.type}"
        answer = self._ask(user, method, path, body)
        if answer.status == 200 and weird.kind in ("message", "state"):
            self.sent.append(answer.json["event_id"])

    def read(self) -> None:
        """Everything that a client looks at works for everybody who is still in the room."""
        for user in self.users:
            for path in READS:
                asked = path.format(room=quote(self.room_id), event=quote(self.event_id), since=quote(self.since))
                answer = self._ask(user, "GET", asked)
                if path.startswith("sync"):
                    assert answer.status == 200, (asked, answer.json)
            search = {"search_categories": {"room_events": {"search_term": "hello"}}}
            self._ask(user, "POST", "search", search)
            self._ask(user, "POST", "user_directory/search", {"search_term": "a"})
            for event_id in self.sent:
                self._ask(user, "GET", f"{self._room}/event/{quote(event_id)}")

    def redact(self) -> None:
        for i, event_id in enumerate(self.sent[-REDACT:]):
            self._ask(self.users[0], "PUT", f"{self._room}/redact/{quote(event_id)}/r{i}", {})


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def make_scene(ask: Ask, users: list[Client], creation: dict[str, Any] | bytes) -> Scene | None:
    made = ask(users[0], "POST", "createRoom", creation)
    if made.status != 200:
        return None
    room_id = made.json["room_id"]
    ask(users[1], "POST", f"join/{quote(room_id)}", {})
    since = ask(users[1], "GET", "sync?timeout=0").json["next_batch"]
    return Scene(ask, users, room_id, since)


async def in_thread(fuzzed: Fuzzed, work: Callable[[Ask, Callable[[], list[Client]]], None]) -> None:
    """Run a hypothesis test in a thread, whose requests are made on this loop."""
    loop = asyncio.get_running_loop()

    def wait_for(function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(function(*args), loop).result()

    def two_users() -> list[Client]:
        return [wait_for(fuzzed.user), wait_for(fuzzed.user)]

    await asyncio.to_thread(work, functools.partial(wait_for, fuzzed.ask), two_users)


def examples(share: float = 1.0) -> Callable[[Any], Any]:
    chosen = settings(
        max_examples=max(1, int(EXAMPLES * share)),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    return lambda test: seed(SEED)(chosen(test))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else ""


@pytest.mark.parametrize("version", ["12", "5"])
async def test_weird_events_stop_nobody(tmp_path: Path, database_url: str, version: str) -> None:
    def work(ask: Ask, two_users: Callable[[], list[Client]]) -> None:
        @examples(0.6 if version == "12" else 0.4)
        @given(sent=st.lists(st.tuples(st.integers(0, 1), events), min_size=1, max_size=6))
        def run(sent: list[tuple[int, Weird]]) -> None:
            creation = {"preset": "trusted_private_chat", "visibility": "public", "room_version": version}
            users = two_users()
            scene = make_scene(ask, users, {**creation, "invite": [users[1].user_id]})
            assert scene is not None
            for number, (who, weird) in enumerate(sent):
                scene.send(number, scene.users[who], weird)
            scene.read()
            scene.redact()
            scene.read()

        run()

    async with fuzzed_server(tmp_path, database_url) as fuzzed:
        await in_thread(fuzzed, work)


async def test_weird_rooms_stop_nobody(tmp_path: Path, database_url: str) -> None:
    def work(ask: Ask, two_users: Callable[[], list[Client]]) -> None:
        @examples(0.5)
        @given(
            initial_state=initial_states,
            levels=st.one_of(st.none(), mutated(STATES["m.room.power_levels"])),
            creation=st.one_of(st.none(), mutated(STATES["m.room.create"])),
            part=st.sampled_from(["", "", "", "", *PARTS]),
            value=values,
        )
        def run(initial_state: list[Weird], levels: Any, creation: Any, part: str, value: Any) -> None:
            users = two_users()
            body: dict[str, Any] = {"preset": "public_chat"}
            body["initial_state"] = [
                {"type": w.type, "state_key": w.state_key, "content": w.content} for w in initial_state
            ]
            if levels is not None:
                body["power_level_content_override"] = levels
            if creation is not None:
                body["creation_content"] = creation
            if part:
                body[part] = value
            text = (
                json.dumps(body).replace('"@alice"', f'"{users[0].user_id}"').replace('"@bob"', f'"{users[1].user_id}"')
            )
            scene = make_scene(ask, users, text.encode())
            if scene is not None:
                scene.send(1, users[0], Weird("message", "m.room.message", "", MESSAGES["m.room.message"][0]))
                scene.read()

        run()

    async with fuzzed_server(tmp_path, database_url) as fuzzed:
        await in_thread(fuzzed, work)
