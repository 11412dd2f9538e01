"""Whatever other servers send: no request fails, no room becomes other than its rules allow, and nothing grows.

Requests of every kind as a good server makes them, changed by plans that hypothesis draws, and noise. Most are signed
again after the change, so that what stands behind the signatures is reached. 500 inputs in a usual run; with
`script/conformance --long` 100,000, or as many as `PEER_FUZZ_INPUTS` says.
"""

import asyncio
import gc
import os
import random
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from myelin.services.e2ee.limits import MAX_WAITING_MESSAGES, WAITING_CHECKED_EVERY
from robustness.peer_fuzz.mutations import (
    BATCH,
    Plan,
    batches,
    encoded,
    events_in,
    mutated,
    mutated_bytes,
    mutated_texts,
    signed_again,
)
from robustness.peer_fuzz.oracle import check_room
from robustness.peer_fuzz.scene import BOB, DAVE, EVE, Recorded, Scene
from robustness.peer_fuzz.wire import Got, Sent, signed_by
from robustness.peer_fuzz.world import World, fuzzed_world

VERSIONS = ("1", "6", "10", "11", "12")
FEW = 100
"""Inputs of each room version in a usual run."""
MANY = int(os.environ.get("PEER_FUZZ_INPUTS", "100000")) // len(VERSIONS)
MOST_RSS_MIB = 96
"""How much larger the process may be at the end than after a fifth of the inputs."""
PHASES = [Phase.generate] if "PEER_FUZZ_FAST" in os.environ else list(Phase)
LIES = (5, 6)
"""Plans of which the answers of other servers are changed."""
MANY_STRANGERS = 200
"""Servers, users and devices that inputs may name without being believed."""
PEERS_PATH = "/_matrix/federation/"


def inputs_of(version: str) -> list[object]:
    """The usual number, and the large one."""
    return [
        pytest.param(version, FEW, id=f"{version}-few"),
        pytest.param(version, MANY, id=f"{version}-many", marks=[pytest.mark.long, pytest.mark.slow]),
    ]


class Attack:
    """A batch of inputs about one room."""

    def __init__(self, world: World, scene: Scene) -> None:
        self.world = world
        self.scene = scene
        self.events = 0

    async def send(self, plan: Plan) -> Got:
        """One input."""
        recorded = self.scene.recorded(plan.recording)
        self.scene.lie = plan.steps if plan.signing in LIES else ()
        steps = () if plan.signing in LIES else plan.steps
        body = recorded.body
        if body is not None:
            body = mutated(body, steps, self.scene.names)
            if plan.signing > 1:
                signed_again(body, self.scene.version)
            self.events += len(events_in(body)) + 4
        sent = self._request(recorded, plan, body)
        if plan.signing == 1:
            return await self.world.ask(sent)
        origin = {2: EVE.partition(":")[2], 3: "peer2"}.get(plan.signing, recorded.origin)
        return await self.world.ask(signed_by(origin, sent))

    def _request(self, recorded: Recorded, plan: Plan, body: object) -> Sent:
        segments, query = recorded.segments, recorded.query
        if body is None or plan.signing == 4:
            for step in plan.steps[:1]:
                segments = mutated_texts(segments, step, self.scene.names)
            for step in plan.steps[1:]:
                values = mutated_texts([value for _, value in query], step, self.scene.names)
                query = tuple((name, value) for (name, _), value in zip(query, values, strict=True))
        named = [self.scene.event_id_in(body) if s == "{event}" else s for s in segments]
        quoted = [quote(text.encode("utf-8", "surrogatepass"), safe="") for text in named]
        path = recorded.path if recorded.path.startswith("/") else PEERS_PATH + recorded.path
        target = path.format(*quoted)
        if query:
            target += "?" + urlencode([(n, v.encode("utf-8", "surrogatepass")) for n, v in query])
        if plan.noise and body is None:
            target += "?" + quote(plan.noise, safe="&=%")
        data = None if body is None else mutated_bytes(encoded(body), plan.bytes_steps, plan.noise)
        return Sent(recorded.method, target[:7000], data)


async def is_still_heard(world: World, quiet: Scene) -> None:
    """Elsewhere what a good server says arrives, and Alice can read everything."""
    await quiet.look()
    said = quiet.pdu(DAVE, "m.room.message", {"msgtype": "m.text", "body": "still here"})
    sent = quiet.transaction("canary", [said])
    body = encoded(sent.body)
    path = PEERS_PATH + sent.path.format(*sent.segments)
    answer = await world.ask(signed_by("peer2", Sent("PUT", path, body)))
    assert answer.json == {"pdus": {said.event_id: {}}}
    alice = world.alice
    assert (await alice("GET", "sync", timeout=0)).status == 200
    read = await alice.get(f"rooms/{quote(quiet.room_id)}/messages", dir="b", limit=1)
    assert [event["event_id"] for event in read["chunk"]] == [said.event_id]
    world.check("what Alice reads")


async def attack(world: World, quiet: Scene, number: int, plans: Sequence[Plan]) -> None:
    """A new room, the inputs, and the checks."""
    scene = Scene(world, quiet.version.identifier, number)
    await scene.begin()
    batch = Attack(world, scene)
    for plan in plans:
        await batch.send(plan)
    await is_still_heard(world, quiet)
    await check_room(scene, batch.events)
    await world.alice("POST", f"rooms/{quote(scene.room_id)}/leave", {})
    await world.alice("POST", f"rooms/{quote(scene.room_id)}/forget", {})


def check_growth(world: World, rows: dict[str, int]) -> None:
    """What is left of an input is at most what it brought: of requests a row, of rooms what is in them."""
    few = {name: count for name, count in rows.items() if count > 30 + 4 * world.inputs}
    assert few.keys() <= {"events"}, few
    assert rows["events"] <= 60 * world.inputs
    assert rows["slow_events"] == 0
    assert rows["to_device_messages"] <= MAX_WAITING_MESSAGES + WAITING_CHECKED_EVERY
    for name in ("server_keys", "server_key_answers", "remote_device_lists", "remote_devices", "destinations"):
        assert rows[name] <= MANY_STRANGERS, (name, rows[name])


def resident_mib() -> int:
    """Memory that this process has."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20


@pytest.mark.parametrize(("version", "count"), [one for version in VERSIONS for one in inputs_of(version)])
async def test_whatever_other_servers_send_nothing_breaks(tmp_path: Path, version: str, count: int) -> None:
    loop = asyncio.get_running_loop()
    is_long = count > FEW
    sizes: list[int] = []

    async with fuzzed_world(tmp_path) as world:
        quiet = Scene(world, version, 0)
        await quiet.begin()
        await world.alice.post("keys/query", {"device_keys": {BOB: []}})
        numbers = iter(range(1, 10**9))

        def work(start: int) -> None:
            @seed(start)
            @settings(
                max_examples=max(1, (count - world.inputs) // BATCH),
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                report_multiple_bugs=False,
                phases=PHASES,
            )
            @given(batches)
            def run(plans: list[Plan]) -> None:
                work = attack(world, quiet, next(numbers), plans)
                asyncio.run_coroutine_threadsafe(work, loop).result()
                if world.inputs // 1_000 > len(sizes):
                    sizes.append(resident_mib())

            run()

        start = random.randrange(2**32) if is_long else 7
        while world.inputs < count:
            await asyncio.to_thread(work, start + world.inputs)
        assert world.inputs >= count
        assert {200, 400, 403} <= world.statuses.keys(), world.statuses
        assert world.statuses[200] > count / 3, world.statuses
        check_growth(world, await world.rows())
    print(f"version {version} from {start}: {world.inputs} inputs, answers {world.statuses}, MiB {sizes}")
    if len(sizes) >= 5:
        assert sizes[-1] - sizes[len(sizes) // 5] <= MOST_RSS_MIB, sizes
