"""Group commit: what shares a batch, who is refused, and that a refusal harms nobody else."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from committing import Chain, Log, note, open_log
from myelin.db.committer import MAX_BATCH, AlreadyDone, GuardFailed, Write
from myelin.db.connection import Database, DatabaseError, UniqueViolation
from myelin.db.sql import Sql, Statement
from myelin.matrix.errors import Forbidden
from myelin.store.log import LogStore
from polling import DEADLINE_S

OpenAnother = Callable[[], Awaitable[Database]]
_END_THE_REST = Sql(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname = current_database()"
)


async def commit_all(log: Log, *writes: Write) -> list[Any]:
    return await asyncio.gather(*(log.committer.commit(write) for write in writes), return_exceptions=True)


async def test_writes_that_wait_share_a_batch(log: Log) -> None:
    done = await commit_all(log, *(note(f"n{i}") for i in range(40)))
    assert done == list(range(done[0], done[0] + 40))
    assert log.committer.batches == 1
    assert log.committer.writes == 40
    assert await log.notes() == [f"n{i}" for i in range(40)]
    assert await LogStore(log.database).position() == done[-1]


async def test_a_batch_has_a_limit_and_the_rest_follows(log: Log) -> None:
    await commit_all(log, *(note(f"{i:04}") for i in range(MAX_BATCH + 1)))
    assert log.committer.batches == 2
    assert log.told_notes == [f"{i:04}" for i in range(MAX_BATCH + 1)]


async def test_a_write_takes_as_many_positions_as_it_asks_for(log: Log) -> None:
    first, second, third = await commit_all(log, note("a", "b", "c"), note("d"), note("e"))
    assert (second, third) == (first + 3, first + 4)
    assert await log.notes() == ["a", "b", "c", "d", "e"]


async def test_batches_are_announced_in_order_without_gaps_before_callers_are_answered(log: Log) -> None:
    heard_first = []

    async def one(i: int) -> None:
        await asyncio.sleep(0.001 * (i % 7))
        await log.committer.commit(note(f"n{i}"))
        heard_first.append(f"n{i}" in log.told_notes)

    await asyncio.gather(*(one(i) for i in range(60)))
    assert heard_first == [True] * 60
    spans = [(first, last) for first, last, _ in log.told]
    assert [first for first, _ in spans[1:]] == [last + 1 for _, last in spans[:-1]]
    assert log.told_notes == await log.notes()


async def test_a_chain_moves_with_its_last_write(log: Log) -> None:
    chain = Chain("!r:x")
    positions = await commit_all(log, note("a", chain=chain), note("b", "c", chain=chain))
    assert chain.version == positions[1] + 1 == await log.version("!r:x")
    (again,) = await commit_all(log, note("d", chain=chain))
    assert chain.version == again == await log.version("!r:x")


async def test_a_failed_guard_refuses_the_chain_and_nothing_else(log: Log) -> None:
    current, stale = Chain("!r:x"), Chain("!r:x", version=99)
    await log.committer.commit(note("a", chain=current))
    other = Chain("!other:x")
    done = await commit_all(
        log,
        note("x1", chain=stale, once="t1"),
        note("plain"),
        note("x2", chain=stale),
        note("o", chain=other),
    )
    assert [type(d) for d in done] == [GuardFailed, int, GuardFailed, int]
    assert stale.dead
    assert not other.dead
    assert await log.notes() == ["a", "plain", "o"]
    assert log.told_notes == ["a", "plain", "o"]
    assert await log.claimed() == []
    assert isinstance((await commit_all(log, note("x3", chain=stale)))[0], GuardFailed)
    await log.committer.commit(note("b", chain=current))


async def test_a_room_that_is_there_already_is_not_made_again(log: Log) -> None:
    await log.committer.commit(note("a", chain=Chain("!r:x")))
    again = Chain("!r:x")
    assert [type(d) for d in await commit_all(log, note("b", chain=again))] == [GuardFailed]
    assert await log.notes() == ["a"]


async def test_a_chain_that_dies_in_one_batch_is_refused_in_the_next(log: Log) -> None:
    stale = Chain("!r:x", version=99)
    writes = [note(f"x{i}", chain=stale) for i in range(MAX_BATCH + 3)]
    done = await commit_all(log, *writes)
    assert {type(d) for d in done} == {GuardFailed}
    assert await log.notes() == []


@pytest.mark.parametrize("chained", [True, False])
async def test_of_two_equal_claims_in_one_batch_the_first_wins(log: Log, chained: bool) -> None:
    chains = [Chain("!1:x"), Chain("!2:x"), Chain("!3:x")] if chained else [None] * 3
    done = await commit_all(log, *(note(f"n{i}", once="t", chain=chain) for i, chain in enumerate(chains)))
    assert [type(d) for d in done] == [int, AlreadyDone, AlreadyDone]
    assert await log.notes() == ["n0"]
    assert await log.claimed() == ["n0"]


async def test_a_claim_that_is_taken_refuses_the_write_for_good(log: Log) -> None:
    await log.committer.commit(note("a", once="t"))
    done = await commit_all(log, note("b", once="t"), note("c", once="t", user="@other:x"), note("d", once="u"))
    assert [type(d) for d in done] == [AlreadyDone, int, int]
    assert await log.claimed() == ["a", "c", "d"]


async def test_who_lost_a_claim_to_a_write_that_is_refused_may_try_again(log: Log) -> None:
    """Otherwise it would be told that the transaction was done before, and find no result."""
    await log.committer.commit(note("made", chain=Chain("!r:x")))
    stale, sound = Chain("!r:x", version=99), Chain("!s:x")
    done = await commit_all(
        log, note("a", chain=stale, once="t"), note("b", chain=stale, once="t"), note("c", chain=sound, once="t")
    )
    assert [type(d) for d in done] == [GuardFailed, GuardFailed, GuardFailed]
    assert await log.claimed() == []
    fresh = Chain("!s:x")
    done = await commit_all(log, note("c", chain=fresh, once="t"), note("b", chain=fresh, once="t"))
    assert [type(d) for d in done] == [int, AlreadyDone]


async def test_what_hangs_on_a_refused_claim_is_refused_and_its_own_claims_are_free_again(log: Log) -> None:
    await log.committer.commit(note("a", once="t"))
    chain = Chain("!r:x")
    done = await commit_all(
        log,
        note("kept", chain=chain, once="k"),
        note("again", chain=chain, once="t"),
        note("built on it", chain=chain, once="u"),
    )
    assert [type(d) for d in done] == [int, AlreadyDone, GuardFailed]
    assert chain.dead
    assert await log.version("!r:x") == done[0] == chain.version
    assert await log.claimed() == ["a", "kept"]
    fresh = Chain("!r:x", version=chain.version)
    assert isinstance((await commit_all(log, note("built anew", chain=fresh, once="u")))[0], int)


async def test_only_the_culprit_of_a_batch_is_refused(log: Log) -> None:
    chain, healthy = Chain("!r:x"), Chain("!h:x")
    await commit_all(log, note("taken"))
    done = await commit_all(
        log,
        note("a"),
        note("b", chain=chain),
        note("taken", chain=chain, once="t"),
        note("c", chain=chain),
        note("d", chain=healthy),
        note("e"),
    )
    assert [type(d) for d in done] == [int, int, UniqueViolation, GuardFailed, int, int]
    assert await log.notes() == ["taken", "a", "b", "d", "e"]
    assert await log.claimed() == []
    assert log.told_notes == await log.notes()
    assert await log.version("!r:x") == done[1]


async def test_a_write_whose_statements_cannot_be_made_is_refused_alone(log: Log) -> None:
    def broken(_: int) -> list[Statement]:
        raise KeyError("ours")

    done = await commit_all(log, note("a"), Write(broken), note("b"))
    assert [type(d) for d in done] == [int, DatabaseError, int]
    assert await log.notes() == ["a", "b"]


async def test_a_listener_that_fails_keeps_nobody_from_their_answer(database: Database) -> None:
    log = await open_log(database)
    announced = log.committer._announce

    def fail(first: int, last: int, writes: list[Write]) -> None:
        announced(first, last, writes)
        if "bad" in writes[0].news:
            raise KeyError("ours")

    log.committer._announce = fail
    assert isinstance(await asyncio.wait_for(log.committer.commit(note("bad")), DEADLINE_S), int)
    assert isinstance(await asyncio.wait_for(log.committer.commit(note("good")), DEADLINE_S), int)
    assert log.told_notes == ["bad", "good"]


async def test_a_caller_that_goes_away_does_not_take_its_write_or_the_batch_along(log: Log) -> None:
    impatient = asyncio.create_task(log.committer.commit(note("a")))
    patient = asyncio.create_task(log.committer.commit(note("b")))
    await asyncio.sleep(0)
    impatient.cancel()
    assert isinstance(await patient, int)
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert await log.notes() == ["a", "b"]


async def test_drain_waits_for_everything_that_waits(log: Log) -> None:
    writes = [note(f"n{i}") for i in range(MAX_BATCH * 2)]
    for write in writes:
        log.committer.submit(write)
    await log.committer.drain()
    assert all(write.done.done() for write in writes)
    assert len(await log.notes()) == MAX_BATCH * 2
    await log.committer.drain()


async def test_statements_of_one_text_keep_their_order(log: Log) -> None:
    put = Sql("INSERT INTO notes (position, text) VALUES (:position, :text)")
    rename = Sql("UPDATE notes SET text = text || :more WHERE text LIKE 'n%'")
    write = Write(lambda p: [Statement(put, (p, "n")), Statement(rename, ("1",)), Statement(rename, ("2",))])
    await log.committer.commit(write)
    assert await log.notes() == ["n12"]


@pytest.mark.postgres
async def test_two_committers_share_one_log(open_another: OpenAnother) -> None:
    logs = [await open_log(await open_another()) for _ in range(2)]

    async def talk(log: Log, who: int, i: int) -> int:
        await asyncio.sleep(0.002 * (i % 5))
        return await log.committer.commit(note(f"{who}-{i}"))

    positions = await asyncio.gather(*(talk(log, who, i) for i in range(60) for who, log in enumerate(logs)))
    assert sorted(positions) == list(range(min(positions), min(positions) + 120))
    spans = sorted((first, last) for log in logs for first, last, _ in log.told)
    assert [first for first, _ in spans[1:]] == [last + 1 for _, last in spans[:-1]]


@pytest.mark.postgres
async def test_of_equal_claims_in_two_processes_one_wins(open_another: OpenAnother) -> None:
    logs = [await open_log(await open_another()) for _ in range(2)]
    done = await asyncio.gather(
        *(log.committer.commit(note(f"{who}-{i}", once=f"t{i}")) for i in range(30) for who, log in enumerate(logs)),
        return_exceptions=True,
    )
    pairs = list(zip(done[::2], done[1::2], strict=True))
    assert all({type(a), type(b)} == {int, AlreadyDone} for a, b in pairs), pairs
    assert len(await logs[0].notes()) == 30


@pytest.mark.postgres
async def test_of_two_processes_on_one_version_one_wins(open_another: OpenAnother) -> None:
    one, two = [await open_log(await open_another()) for _ in range(2)]
    made = await one.committer.commit(note("made", chain=Chain("!r:x")))
    chains = [Chain("!r:x", version=made), Chain("!r:x", version=made)]
    done = await asyncio.gather(
        *(log.committer.commit(note(f"{i}-{c.room_id}{id(c)}", chain=c))
          for i in range(5) for log, c in zip((one, two), chains, strict=True)),
        return_exceptions=True,
    )  # fmt: skip
    outcomes = [{type(d) for d in done[0::2]}, {type(d) for d in done[1::2]}]
    assert sorted(outcomes, key=str) == sorted([{int}, {GuardFailed}], key=str)
    assert len(await one.notes()) == 6


async def test_a_write_is_built_while_the_log_is_held(log: Log) -> None:
    held_at: list[int] = []
    chain = Chain("!r:x")

    async def make(last: int) -> Write:
        held_at.append(last)
        late.append(asyncio.ensure_future(log.committer.commit(note("waited", chain=chain))))
        await asyncio.sleep(0)
        return note("held", chain=chain)

    late: list[asyncio.Future[int]] = []
    first = await log.committer.commit(note("before"))
    await log.committer.commit_held(make)
    assert held_at == [first]
    assert await late[0] == first + 1
    assert await log.notes() == ["before", "waited", "held"]
    assert log.told_notes == await log.notes()
    assert await log.version("!r:x") == chain.version == first + 2


async def test_a_write_that_cannot_be_built_harms_nobody(log: Log) -> None:
    async def nothing(last: int) -> None:
        return None

    async def refuse(last: int) -> Write:
        raise Forbidden("no")

    async def fail(last: int) -> Write:
        raise KeyError("ours")

    done = await asyncio.gather(
        log.committer.commit(note("a")),
        log.committer.commit_held(nothing),
        log.committer.commit_held(refuse),
        log.committer.commit_held(fail),
        log.committer.commit(note("b")),
        return_exceptions=True,
    )
    assert [type(d) for d in done] == [int, type(None), Forbidden, DatabaseError, int]
    assert await log.notes() == ["a", "b"]


async def test_a_write_built_while_the_log_is_held_may_still_be_refused(log: Log) -> None:
    await log.committer.commit(note("taken", once="t"))

    async def again(last: int) -> Write:
        return note("again", once="t")

    async def twice(last: int) -> Write:
        return note("taken")

    with pytest.raises(AlreadyDone):
        await log.committer.commit_held(again)
    with pytest.raises(UniqueViolation):
        await log.committer.commit_held(twice)
    await log.committer.commit(note("after"))
    assert await log.notes() == ["taken", "after"]


@pytest.mark.postgres
async def test_while_the_log_is_held_no_other_process_commits(open_another: OpenAnother) -> None:
    one, two = [await open_log(await open_another()) for _ in range(2)]
    others: list[asyncio.Task[int]] = []

    async def make(last: int) -> Write:
        others.append(asyncio.create_task(two.committer.commit(note("other"))))
        await asyncio.wait(others, timeout=0.5)
        assert not others[0].done()
        return note("held")

    await one.committer.commit_held(make)
    await others[0]
    assert await one.notes() == ["held", "other"]


async def test_a_connection_that_broke_is_not_written_on_again(open_another: OpenAnother) -> None:
    log, other = await open_log(await open_another()), await open_another()
    await log.committer.commit(note("before"))
    ended = await other.fetch(_END_THE_REST, ())
    assert ended[0][0] >= 1
    async with asyncio.timeout(DEADLINE_S):
        while "after" not in log.told_notes:
            with contextlib.suppress(DatabaseError):
                await log.committer.commit(note("after"))
    assert log.told == [(1, 1, ["before"]), (2, 2, ["after"])]


async def test_a_statement_that_failed_unseen_does_not_count_as_committed(open_another: OpenAnother) -> None:
    database = await open_another()

    async def fail_unseen() -> None:
        async with database.transaction() as transaction:
            with contextlib.suppress(Exception):
                await transaction.execute(Sql("SELECT 1 / 0"), ())

    with pytest.raises(DatabaseError, match="had failed"):
        await fail_unseen()
    async with database.transaction(positions=3) as transaction:
        assert await transaction.take_positions(1) == 4
