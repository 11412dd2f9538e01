"""Our events reach every server in the room: in order, in batches, once the one before is taken."""

import asyncio
from pathlib import Path

import pytest

from myelin.services.federation.peers.errors import PeerRefused, PeerUnreachable
from myelin.services.federation.sending import destination, outgoing_queue, taken, transmissions
from myelin.services.rooms.building import Draft
from myelin.services.rooms.cache import Rooms
from myelin.store.destinations import DestinationStore
from polling import until
from remote_room import RemoteRoom
from room_house import House
from scripted_peer import Receiving, ScriptedPeer
from sending_peers import Sender, Taken, send_on, sending_house


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries in a fraction of a second."""
    monkeypatch.setattr(transmissions, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(transmissions, "LAST_RETRY_S", 0.02)
    monkeypatch.setattr(transmissions, "EDU_INTERVAL_S", 0.2)
    monkeypatch.setattr(transmissions, "END_GRACE_S", 0.5)
    monkeypatch.setattr(outgoing_queue, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(outgoing_queue, "TAKE_EVERY_S", 0.02)
    monkeypatch.setattr(outgoing_queue, "NOTE_EVERY_S", 0.05)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else ""


def unreachable(_: Taken) -> None:
    raise PeerUnreachable("it is away")


async def shared_room(house: House, *servers: str) -> str:
    room_id = await house.make_room("alice", join_rule="public")
    for server in servers:
        await house.set_membership(room_id, f"bob:{server}", "join")
    return room_id


async def test_events_go_in_order_to_each_server_in_the_room(tmp_path: Path, database_url: str) -> None:
    async with sending_house(tmp_path, database_url) as (house, peers, _):
        room_id = await shared_room(house, "peer1", "peer2")
        lonely = await house.make_room("alice")
        await house.say(lonely, "alice", "to nobody")
        for i in range(120):
            await house.say(room_id, "alice", str(i))
        wanted = [str(i) for i in range(120)]
        await peers.until(lambda: all(peers.texts(p)[-1:] == ["119"] for p in ("peer1", "peer2")))
        for name in ("peer1", "peer2"):
            assert [t for t in peers.texts(name) if t.isdigit()] == wanted
            assert all(len(t.body["pdus"]) <= 50 for t in peers.taken[name])
            assert all(t.body["origin"] == "hs1" for t in peers.taken[name])
        assert set(peers.taken) == {"peer1", "peer2"}
        assert peers.most_at_once == 1


async def test_events_of_others_are_not_sent_but_forwarded_where_asked(tmp_path: Path, database_url: str) -> None:
    async with sending_house(tmp_path, database_url) as (house, peers, _):
        room_id = await shared_room(house, "peer1", "peer2")
        event_id = await house.set_membership(room_id, "carol:peer3", "join")
        await house.say(room_id, "alice", "one")
        await peers.until(lambda: all("one" in peers.texts(f"peer{i}") for i in (1, 2, 3)))
        assert all("m.room.member" not in peers.texts(f"peer{i}") for i in (1, 2, 3))
        await send_on(house.ground.committer, room_id, event_id, "peer3")
        await house.say(room_id, "alice", "two")
        await peers.until(lambda: all("two" in peers.texts(f"peer{i}") for i in (1, 2, 3)))
        assert peers.texts("peer1") == ["one", "m.room.member", "two"]
        assert peers.texts("peer2") == ["one", "m.room.member", "two"]
        assert peers.texts("peer3") == ["one", "two"]


async def test_who_is_put_out_of_a_room_hears_of_it_and_of_nothing_more(tmp_path: Path) -> None:
    async with sending_house(tmp_path) as (house, peers, _):
        room_id = await shared_room(house, "peer1", "peer2")
        await house.set_state(room_id, "alice", "m.room.topic", {"topic": "before"})
        kick = Draft(sender="@alice:hs1", type="m.room.member", content={"membership": "leave"}, state_key="@bob:peer1")
        await house.writer.send(room_id, kick)
        await house.say(room_id, "alice", "gone")
        await peers.until(lambda: "gone" in peers.texts("peer2"))
        assert peers.texts("peer1") == ["m.room.topic", "m.room.member"]


async def test_a_batch_holds_fifty_events(tmp_path: Path) -> None:
    async with sending_house(tmp_path) as (house, peers, _):
        room_id = await shared_room(house, "peer1")
        gate = asyncio.Event()
        peers.scripts["peer1"] = lambda _: gate.wait()
        await house.say(room_id, "alice", "first")
        await peers.until(lambda: peers.tried)
        for i in range(101):
            await house.say(room_id, "alice", str(i))
        gate.set()
        await peers.until(lambda: len(peers.taken["peer1"]) == 4)
        assert [len(t.body["pdus"]) for t in peers.taken["peer1"]] == [1, 50, 50, 1]


async def test_a_batch_holds_a_hundred_edus(tmp_path: Path, database_url: str) -> None:
    async with sending_house(tmp_path, database_url) as (_, peers, sender):
        gate = asyncio.Event()
        peers.scripts["peer1"] = lambda _: gate.wait()
        await sender.queue.put_durable_edu(["peer1"], b'{"content":{"n":-1},"edu_type":"x"}')
        await peers.until(lambda: peers.tried)
        for i in range(201):
            await sender.queue.put_durable_edu(["peer1"], b'{"content":{"n":%d},"edu_type":"x"}' % i)
        await sender.queue.put_edu(["peer1"], "m.typing", {"typing": True}, key="a")
        gate.set()
        await peers.until(lambda: len(peers.edus("peer1", "x")) == 202 and peers.edus("peer1", "m.typing"))
        assert [len(t.body["edus"]) for t in peers.taken["peer1"]] == [1, 100, 100, 2]
        assert [content["n"] for content in peers.edus("peer1", "x")] == list(range(-1, 201))


async def test_the_same_transaction_is_repeated_after_a_failure(tmp_path: Path, database_url: str) -> None:
    async with sending_house(tmp_path, database_url) as (house, peers, _):
        room_id = await shared_room(house, "peer1")
        peers.scripts["peer1"] = unreachable
        await house.say(room_id, "alice", "one")
        await peers.until(lambda: len(peers.tried) >= 3)
        await house.say(room_id, "alice", "two")
        await peers.until(lambda: len(peers.tried) >= 5)
        assert {t.transaction_id for t in peers.tried} == {peers.tried[0].transaction_id}
        assert all(t.texts == ["one"] for t in peers.tried)
        del peers.scripts["peer1"]
        await peers.until(lambda: peers.texts("peer1") == ["one", "two"])


@pytest.mark.parametrize("crashes", [True, False])
async def test_the_same_transaction_is_repeated_after_a_crash(tmp_path: Path, database_url: str, crashes: bool) -> None:
    async with sending_house(tmp_path, database_url) as (house, peers, sender):
        room_id = await shared_room(house, "peer1", "peer2")
        gate = asyncio.Event()
        peers.scripts["peer1"] = lambda _: gate.wait()
        await sender.queue.put_durable_edu(["peer1"], b'{"content":{},"edu_type":"x"}')
        await peers.until(lambda: peers.tried)
        gate.set()
        await peers.until(lambda: peers.taken["peer1"])
        gate.clear()
        await house.say(room_id, "alice", "one")
        await peers.until(lambda: len(peers.tried) == 3)
        await house.say(room_id, "alice", "two")
        begun = next(t for t in reversed(peers.tried) if t.server_name == "peer1")
        await (sender.crash() if crashes else sender.stop())
        await house.say(room_id, "alice", "three")
        gate.set()
        count = len(peers.tried)
        again = Sender(house, peers, house.ground.clock, "one" if not database_url else "two")
        again.ledger._lease.is_alone = True  # its predecessor is known to be dead
        await again.start()
        await peers.until(lambda: "three" in peers.texts("peer1") and "three" in peers.texts("peer2"))
        repeated = next(t for t in peers.tried[count:] if t.server_name == "peer1")
        assert (repeated.transaction_id, repeated.body["pdus"]) == (begun.transaction_id, begun.body["pdus"])
        assert list(dict.fromkeys(peers.texts("peer1"))) == ["one", "two", "three"]
        assert list(dict.fromkeys(peers.texts("peer2"))) == ["one", "two", "three"]
        assert len(peers.edus("peer1", "x")) == 1
        await again.stop()


async def test_what_a_server_took_is_written_by_the_clock(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taken, "WRITE_AFTER_S", 0.05)
    async with sending_house(tmp_path, database_url) as (house, peers, _):
        room_id = await shared_room(house, "peer1", "peer2")
        before, store = house.ground.feed.position, DestinationStore(house.ground.database)
        await house.say(room_id, "alice", "one")
        for name in ("peer1", "peer2"):
            await until(lambda name=name: is_after(store, name, before))
            await until(lambda name=name: is_settled(store, name))
        assert peers.texts("peer1")[-1] == peers.texts("peer2")[-1] == "one"


async def test_what_a_server_took_is_written_with_what_it_is_sent_next_or_when_sending_stops(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taken, "WRITE_AFTER_S", 3_600)
    async with sending_house(tmp_path, database_url) as (house, peers, sender):
        room_id = await shared_room(house, "peer1")
        store, gate = DestinationStore(house.ground.database), asyncio.Event()
        before_one = house.ground.feed.position
        await house.say(room_id, "alice", "one")
        await peers.until(lambda: peers.texts("peer1")[-1:] == ["one"])
        before_two = house.ground.feed.position
        peers.scripts["peer1"] = lambda _: gate.wait()
        await house.say(room_id, "alice", "two")
        await peers.until(lambda: peers.tried[-1].texts == ["two"])
        under_way = await store.under_way("peer1")
        assert under_way is not None
        assert under_way.transaction_id == peers.tried[-1].transaction_id
        got = await store.position("peer1")
        assert got is not None
        assert before_one < got <= before_two
        gate.set()
        await peers.until(lambda: peers.texts("peer1")[-1] == "two")
        await sender.stop()
        assert await store.under_way("peer1") is None
        assert await is_after(store, "peer1", before_two)


async def test_what_a_server_took_is_repeated_under_the_same_id_by_who_crashed_before_it_was_written(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taken, "WRITE_AFTER_S", 3_600)
    async with sending_house(tmp_path, database_url) as (house, peers, sender):
        room_id = await shared_room(house, "peer1")
        await house.say(room_id, "alice", "one")
        await peers.until(lambda: peers.texts("peer1")[-1:] == ["one"])
        last = peers.taken["peer1"][-1]
        await sender.crash()
        await house.say(room_id, "alice", "two")
        again = Sender(house, peers, house.ground.clock, "one" if not database_url else "two")
        again.ledger._lease.is_alone = True  # its predecessor is known to be dead
        await again.start()
        await peers.until(lambda: peers.texts("peer1")[-1] == "two")
        repeated = [t for t in peers.taken["peer1"] if "one" in t.texts]
        assert [(t.transaction_id, t.texts) for t in repeated] == [(last.transaction_id, last.texts)] * 2
        await again.stop()


async def is_after(store: DestinationStore, server_name: str, position: int) -> bool:
    return (await store.position(server_name) or 0) > position


async def is_settled(store: DestinationStore, server_name: str) -> bool:
    return await store.under_way(server_name) is None


async def test_a_server_that_was_away_gets_what_it_missed(tmp_path: Path, database_url: str) -> None:
    async with sending_house(tmp_path, database_url) as (house, peers, sender):
        few, many = await shared_room(house, "peer1"), await shared_room(house, "peer1")
        peers.scripts["peer1"] = unreachable
        peers.backing_off.add("peer1")
        for i in range(3):
            await house.say(few, "alice", f"few {i}")
        await peers.until(lambda: peers.tried)
        for i in range(60):
            await house.say(many, "alice", f"many {i}")
        tries = len(peers.tried)
        await sender.stop()
        again = Sender(house, peers, house.ground.clock, "two")
        again.ledger._lease.is_alone = True
        await again.start()
        await peers.until(lambda: len(peers.tried) > tries)
        del peers.scripts["peer1"]
        again.queue.heard_from("peer1")
        peers.backing_off.clear()
        await peers.until(lambda: "many 59" in peers.texts("peer1"))
        assert [t for t in dict.fromkeys(peers.texts("peer1")) if "few" in t] == ["few 0", "few 1", "few 2"]
        assert [t for t in peers.texts("peer1") if "many" in t] == ["many 59"]
        await house.say(many, "alice", "live")
        await peers.until(lambda: peers.texts("peer1")[-1] == "live")
        await again.stop()


async def test_a_server_that_was_away_gets_what_is_sent_on(tmp_path: Path, database_url: str) -> None:
    async with sending_house(tmp_path, database_url) as (house, peers, _):
        remote = RemoteRoom("one")
        receiving = Receiving(house, ScriptedPeer(remote))
        last = await receiving.adopt(remote, remote.begin())
        peers.scripts["hs2"] = unreachable
        await house.say(remote.room_id, "me", "wakes")
        await peers.until(lambda: "hs2" in {taken.server_name for taken in peers.tried})
        await receiving.receiver.accept("hs5", remote.join("@eve:hs5", last), is_sent_on=True)
        del peers.scripts["hs2"]
        await peers.until(lambda: "m.room.member" in peers.texts("hs2"))
        await house.say(remote.room_id, "me", "end")
        await peers.until(lambda: "end" in peers.texts("hs5"))
        assert "m.room.member" not in peers.texts("hs5")


async def test_a_server_that_left_meanwhile_gets_nothing_from_after_it_left(tmp_path: Path) -> None:
    async with sending_house(tmp_path) as (house, peers, _):
        room_id, other = await shared_room(house, "peer1"), await shared_room(house, "peer1")
        peers.scripts["peer1"] = unreachable
        await house.say(other, "alice", "wakes")
        await peers.until(lambda: peers.tried)
        await house.say(room_id, "alice", "was there")
        await house.set_membership(room_id, "bob:peer1", "leave")
        await house.say(room_id, "alice", "was gone")
        del peers.scripts["peer1"]
        await peers.until(lambda: "was there" in peers.texts("peer1"))
        await house.say(other, "alice", "end")
        await peers.until(lambda: "end" in peers.texts("peer1"))
        assert "was gone" not in peers.texts("peer1")


async def test_a_server_with_too_much_in_memory_is_caught_up_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destination, "MAX_QUEUED", 5)
    async with sending_house(tmp_path) as (house, peers, _):
        room_id = await shared_room(house, "peer1")
        gate = asyncio.Event()
        peers.scripts["peer1"] = lambda _: gate.wait()
        await house.say(room_id, "alice", "first")
        await peers.until(lambda: peers.tried)
        for i in range(12):
            await house.say(room_id, "alice", str(i))
        gate.set()
        await peers.until(lambda: "11" in peers.texts("peer1"))
        assert list(dict.fromkeys(peers.texts("peer1"))) == ["first", *map(str, range(12))]


async def test_one_of_two_processes_sends(tmp_path: Path, postgres_url: str) -> None:
    async with sending_house(tmp_path, postgres_url) as (house, peers, first):
        second = Sender(house, peers, house.ground.clock, "two")
        second.task = asyncio.get_running_loop().create_task(second.queue.run())
        room_id = await shared_room(house, "peer1")
        for i in range(20):
            await house.say(room_id, "alice", str(i))
        await second.queue.put_edu(["peer1"], "m.typing", {"room_id": room_id}, key="a")
        await peers.until(lambda: "19" in peers.texts("peer1") and peers.edus("peer1", "m.typing"))
        assert peers.texts("peer1") == [str(i) for i in range(20)]
        assert (first.queue.is_leading, second.queue.is_leading) == (True, False)
        await first.stop()
        await peers.until(lambda: second.queue.is_leading)
        await house.say(room_id, "alice", "by the second")
        await peers.until(lambda: "by the second" in peers.texts("peer1"))
        assert peers.texts("peer1").count("by the second") == 1
        assert peers.most_at_once == 1
        await second.stop()


async def test_who_lost_the_lease_stops(tmp_path: Path, postgres_url: str) -> None:
    async with sending_house(tmp_path, postgres_url) as (house, peers, first):
        second = Sender(house, peers, house.ground.clock, "two")
        second.ledger._lease.is_alone = True  # takes the lease whatever is said of it
        second.task = asyncio.get_running_loop().create_task(second.queue.run())
        await peers.until(lambda: second.queue.is_leading)
        room_id = await shared_room(house, "peer1")
        await house.say(room_id, "alice", "hello")
        await peers.until(lambda: not first.queue.is_leading and "hello" in peers.texts("peer1"))
        assert peers.texts("peer1") == ["hello"]
        await second.stop()


async def test_what_a_server_refuses_is_left_out_and_nothing_else(tmp_path: Path, database_url: str) -> None:
    async with sending_house(tmp_path, database_url) as (house, peers, sender):
        room_id = await shared_room(house, "peer1")

        def refuse(transaction: Taken) -> None:
            if "bad" in transaction.texts or {"bad": True} in [e["content"] for e in transaction.body["edus"]]:
                raise PeerRefused(413, "M_TOO_LARGE", "no")

        peers.scripts["peer1"] = refuse
        for bad in (b"false", b"true", b"false"):
            await sender.queue.put_durable_edu(["peer1"], b'{"content":{"bad":%b},"edu_type":"x"}' % bad)
        for text in ("one", "bad", "two", "three"):
            await house.say(room_id, "alice", text)
        await peers.until(lambda: "three" in peers.texts("peer1") and len(peers.edus("peer1", "x")) == 2)
        assert list(dict.fromkeys(peers.texts("peer1"))) == ["one", "two", "three"]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502])
async def test_a_server_that_answers_with_an_error_is_tried_again(tmp_path: Path, status: int) -> None:
    async with sending_house(tmp_path) as (house, peers, _):
        room_id = await shared_room(house, "peer1")

        def refuse(_: Taken) -> None:
            raise PeerRefused(status, "M_UNKNOWN", "no")

        peers.scripts["peer1"] = refuse
        await house.say(room_id, "alice", "one")
        await peers.until(lambda: len(peers.tried) >= 2)
        del peers.scripts["peer1"]
        await peers.until(lambda: peers.texts("peer1") == ["one"])


async def test_a_server_that_is_down_costs_nothing(tmp_path: Path) -> None:
    async with sending_house(tmp_path) as (house, peers, sender):
        room_id = await shared_room(house, "peer1", "peer2")
        peers.scripts["peer1"] = unreachable
        peers.backing_off.add("peer1")
        await house.say(room_id, "alice", "one")

        def tries_of_peer1() -> int:
            return [t.server_name for t in peers.tried].count("peer1")

        await peers.until(lambda: peers.texts("peer2") == ["one"] and tries_of_peer1())
        await peers.until(lambda: sender.transmissions._destinations["peer1"].task is None)
        tries = tries_of_peer1()
        for i in range(30):
            await house.say(room_id, "alice", str(i))
        await peers.until(lambda: "29" in peers.texts("peer2"))
        assert tries_of_peer1() == tries
        waiting = sender.transmissions._destinations["peer1"]
        assert (len(waiting.queue), waiting.task) == (0, None)


async def test_fleeting_edus_replace_each_other_and_are_merged(tmp_path: Path) -> None:
    async with sending_house(tmp_path) as (_, peers, sender):
        gate = asyncio.Event()
        peers.scripts["peer1"] = lambda _: gate.wait()
        put = sender.queue.put_edu
        await put(["peer1", "hs1"], "m.typing", {"n": 0})
        await peers.until(lambda: peers.tried)
        for n in (1, 2, 3):
            await put(["peer1"], "m.typing", {"n": n}, key="alice")
        await put(["peer1"], "m.presence", {"push": [{"user_id": "@a:hs1"}]}, key="@a:hs1")
        await put(["peer1"], "m.presence", {"push": [{"user_id": "@b:hs1"}]}, key="@b:hs1")
        for user, thread in (("@a:hs1", "x"), ("@b:hs1", "x"), ("@a:hs1", "y")):
            content = {"!r": {"m.read": {user: {"event_ids": ["$e"], "data": {"thread_id": thread}}}}}
            await put(["peer1"], "m.receipt", content, key=f"{user} {thread}")
        gate.set()
        await peers.until(lambda: len(peers.edus("peer1", "m.receipt")) == 2)
        assert peers.edus("peer1", "m.typing") == [{"n": 0}, {"n": 3}]
        assert peers.edus("peer1", "m.presence") == [{"push": [{"user_id": "@a:hs1"}, {"user_id": "@b:hs1"}]}]
        assert [list(c["!r"]["m.read"]) for c in peers.edus("peer1", "m.receipt")] == [["@a:hs1", "@b:hs1"], ["@a:hs1"]]
        assert set(peers.taken) == {"peer1"}
        assert len(peers.taken["peer1"]) == 2


async def test_a_replaced_edu_is_sent_once(tmp_path: Path, database_url: str) -> None:
    async with sending_house(tmp_path, database_url) as (_, peers, sender):
        peers.scripts["peer1"] = unreachable
        await sender.queue.put_durable_edu(["peer1"], b'{"content":{"n":0},"edu_type":"x"}')
        await peers.until(lambda: peers.tried)
        for n in (1, 2):
            await sender.queue.put_durable_edu(["peer1"], b'{"content":{"n":%d},"edu_type":"y"}' % n, replaces="k")
        del peers.scripts["peer1"]
        await peers.until(lambda: peers.edus("peer1", "y"))
        assert peers.edus("peer1", "y") == [{"n": 2}]


async def test_a_hundred_servers_cost_no_query_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing_queue, "NOTE_EVERY_S", 3_600)  # what is written by the clock is not counted
    async with sending_house(tmp_path) as (house, peers, _):
        room_id = await shared_room(house, *(f"peer{i}" for i in range(100)))
        await house.say(room_id, "alice", "warm")
        await peers.until(lambda: sum(len(t) for t in peers.taken.values()) == 100)
        counted: list[str] = []
        database = house.ground.database
        fetch = database.fetch

        async def counting(sql: object, *args: object, **kwargs: object) -> object:
            counted.append(sql.sqlite)  # type: ignore[attr-defined]
            return await fetch(sql, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(type(database), "fetch", lambda self, *a, **k: counting(*a, **k))
        batches = house.ground.committer.batches
        for i in range(10):
            await house.say(room_id, "alice", str(i))
        await peers.until(lambda: all(peers.texts(f"peer{i}")[-1] == "9" for i in range(100)))
        assert len(counted) < 10, counted
        assert house.ground.committer.batches - batches < 100


async def test_rooms_out_of_memory_are_sent_from_in_order(tmp_path: Path, database_url: str) -> None:
    async with sending_house(tmp_path, database_url) as (house, peers, _):
        room_id = await shared_room(house, "peer1")
        rooms = house.services[Rooms]
        for i in range(10):
            await house.say(room_id, "alice", str(i))
            if i % 3 == 0:
                rooms.drop(room_id)
        await peers.until(lambda: "9" in peers.texts("peer1"))
        assert peers.texts("peer1") == [str(i) for i in range(10)]


async def test_what_was_written_while_nobody_sent_is_sent(tmp_path: Path, database_url: str) -> None:
    async with sending_house(tmp_path, database_url) as (house, peers, sender):
        room_id = await shared_room(house, "peer1")
        await house.say(room_id, "alice", "before")
        await peers.until(lambda: "before" in peers.texts("peer1") and not sender.transmissions._destinations)
        await sender.stop()
        for i in range(5):
            await house.say(room_id, "alice", str(i))
        joined = await house.set_membership(room_id, "late:peer2", "join")
        await send_on(house.ground.committer, room_id, joined, "peer2")
        await house.say(room_id, "alice", "end")
        again: Sender = Sender(house, peers, house.ground.clock, "two")
        await again.start()
        await peers.until(lambda: "end" in peers.texts("peer1") and "end" in peers.texts("peer2"))
        assert peers.texts("peer1") == ["before", *map(str, range(5)), "m.room.member", "end"]
        assert peers.texts("peer2") == ["end"]
        await again.stop()
