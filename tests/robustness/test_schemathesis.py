"""Requests made from the spec's own description of each operation, sound ones and broken ones: no 500, no hang.

`FUZZ_EXAMPLES` asks for more of them, and for others each time.
"""

import asyncio
import functools
import os
import random
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core import NOT_SET

from inprocess import Client
from robustness.fuzzed import Fuzzed, fuzzed_server
from spec_schema import CLIENT_SERVER

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

LONG = "FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
"""Of each operation, of each kind."""
SEED = random.randrange(2**32) if LONG else 20


class Scene:
    """Two users with a room in which something was said: what the requests are about, now and then."""

    def __init__(self, alice: Client, bob: Client, room_id: str, event_id: str, since: str) -> None:
        self.alice = alice
        self.room_id = room_id
        users = [alice.user_id, bob.user_id]
        self.values: dict[str, list[str]] = {
            "roomId": [room_id],
            "roomIdOrAlias": [room_id],
            "eventId": [event_id],
            "userId": users,
            "deviceId": [alice.device_id, bob.device_id],
            "from": [since],
            "since": [since],
            "to": [since],
            "at": [since],
            "eventType": ["m.room.message", "m.room.member", "m.room.power_levels", "m.reaction", "m.room.topic"],
            "stateKey": ["", *users],
            "type": ["m.tag", "org.example"],
            "version": ["1"],
            "relType": ["m.thread", "m.annotation"],
            "serverName": ["hs1"],
            "filterId": ["0"],
        }
        """By the names of parameters."""


async def make_scene(fuzzed: Fuzzed) -> Scene:
    alice, bob = await fuzzed.user(), await fuzzed.user()
    room_id = await alice.create_room(preset="public_chat", name="A room")
    await bob.post(f"join/{room_id}")
    event_id = await bob.send(room_id, "hello")
    thread = {"rel_type": "m.thread", "event_id": event_id}
    await bob.send(room_id, {"msgtype": "m.text", "body": "in a thread", "m.relates_to": thread})
    since = (await alice.get("sync", timeout=0))["next_batch"]
    return Scene(alice, bob, room_id, event_id, since)


def operations() -> Iterator[Any]:
    for file in sorted(CLIENT_SERVER.glob("*.yaml")):
        for result in schemathesis.openapi.from_path(file).get_all_operations():
            yield result.ok()


def is_served(fuzzed: Fuzzed, operation: Any) -> bool:
    found = fuzzed.server.app.kernel._router.find(operation.full_path.strip())
    return found is not None and operation.method.upper() in found[0]


def request_of(case: Any, scene: Scene, choose: Callable[[str], str | None]) -> tuple[str, str, bytes | None]:
    """Method, path with its query, and body; now and then with identifiers that are there."""
    segments = dict(case.path_parameters or {})
    for name in segments:
        chosen = choose(name)
        segments[name] = quote(str(segments[name]), safe="%") if chosen is None else quote(chosen, safe="")
    query = {name: value for name, value in (case.query or {}).items() if value is not None}
    for name in query:
        query[name] = choose(name) or query[name]
    path = case.operation.full_path.strip().format(**segments)
    text = urlencode({k: v if isinstance(v, (list, str)) else orjson.dumps(v) for k, v in query.items()}, doseq=True)
    return case.method.upper(), f"{path}?{text}" if text else path, body_of(case)


def body_of(case: Any) -> bytes | None:
    if case.body is NOT_SET or case.method.upper() == "GET":
        return None
    if isinstance(case.body, bytes):
        return case.body
    return orjson.dumps(case.body, default=str, option=orjson.OPT_NON_STR_KEYS)


def fuzz(operation: Any, scene: Scene, ask: Callable[..., None], mode: GenerationMode) -> None:
    """Run the operation's examples, from a thread of its own."""

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def run(case: Any, data: st.DataObject) -> None:
        def choose(name: str) -> str | None:
            known = scene.values.get(name)
            return data.draw(st.sampled_from([*known, *known, None])) if known else None

        try:
            method, path, body = request_of(case, scene, choose)
        except (TypeError, UnicodeEncodeError, orjson.JSONEncodeError):
            return
        ask(scene.alice, method, path, body)

    run()


@pytest.mark.postgres
async def test_every_operation_answers_whatever_it_is_asked(tmp_path: Path, postgres_url: str) -> None:
    loop = asyncio.get_running_loop()

    def wait_for(work: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work(*args), loop).result()

    found: list[str] = []
    async with fuzzed_server(tmp_path, postgres_url) as fuzzed:
        served = [operation for operation in operations() if is_served(fuzzed, operation)]
        assert len(served) > 100
        for operation in served:
            scene = await make_scene(fuzzed)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                try:
                    await asyncio.to_thread(fuzz, operation, scene, functools.partial(wait_for, fuzzed.ask), mode)
                except Unsatisfiable:
                    continue  # nothing about such a request can be broken
                except Exception as error:
                    notes = "\n".join(getattr(error, "__notes__", ()))
                    found.append(f"{operation.label} {mode.value}: {type(error).__name__}: {error}\n{notes}")
        bob = await fuzzed.user()
        await bob.create_room()
        assert (await bob.get("sync", timeout=0))["rooms"]["join"]
    assert found == [], "\n\n".join(found)
