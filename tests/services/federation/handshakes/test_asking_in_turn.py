"""Servers are asked one after the other, and not for ever."""

import pytest

from held_clock import HeldClock
from myelin.matrix.errors import Forbidden, NotFound
from myelin.services.federation.handshakes.asking_in_turn import MAX_ASKED, MAX_NOES, TRY_FOR_S, AskingInTurn
from myelin.services.federation.peers.errors import PeerFailed, PeerRefused, PeerUnreachable


class Peers:
    """Nothing but who is left alone."""

    def __init__(self, *silent: str) -> None:
        self.silent = silent

    def is_backing_off(self, server_name: str) -> bool:
        return server_name in self.silent


class Asked:
    """Servers that fail, but for some."""

    def __init__(self, failure: PeerFailed, *good: str, clock: HeldClock | None = None) -> None:
        self.failure = failure
        self.good = good
        self.names: list[str] = []
        self.clock = clock

    async def __call__(self, server: str) -> str:
        self.names.append(server)
        if self.clock is not None:
            self.clock.pass_ms(int(TRY_FOR_S / 3 + 1) * 1000)
        if server in self.good:
            return server
        raise self.failure


def in_turn(*silent: str, clock: HeldClock | None = None) -> AskingInTurn:
    return AskingInTurn(Peers(*silent), clock or HeldClock())  # type: ignore[arg-type]  # all of Peers that is used


async def test_the_first_that_answers_is_enough():
    asked = Asked(PeerUnreachable("x"), "b", "c")
    assert await in_turn().ask(["a", "b", "c"], asked) == "b"
    assert asked.names == ["a", "b"]


async def test_those_that_failed_lately_come_last():
    asked = Asked(PeerUnreachable("x"))
    with pytest.raises(Exception, match="reached"):
        await in_turn("a").ask(["a", "b", "c"], asked)
    assert asked.names == ["b", "c", "a"]


async def test_with_nobody_to_ask_there_is_no_room():
    with pytest.raises(NotFound):
        await in_turn().ask([], Asked(PeerUnreachable("x")))


@pytest.mark.parametrize("count", [MAX_NOES - 1, MAX_NOES])
async def test_a_few_refusals_are_believed(count: int):
    servers = [f"s{i}" for i in range(count)]
    asked = Asked(PeerRefused(403, "M_FORBIDDEN", ""), "last")
    if count < MAX_NOES:
        assert await in_turn().ask([*servers, "last"], asked) == "last"
    else:
        with pytest.raises(Forbidden):
            await in_turn().ask([*servers, "last"], asked)
    assert len(asked.names) == MAX_NOES


async def test_no_more_servers_than_that():
    asked = Asked(PeerUnreachable("x"), "last")
    with pytest.raises(Exception, match="reached"):
        await in_turn().ask([*(f"s{i}" for i in range(MAX_ASKED)), "last"], asked)
    assert len(asked.names) == MAX_ASKED


async def test_no_further_server_once_the_time_is_over():
    clock = HeldClock()
    asked = Asked(PeerUnreachable("x"), clock=clock)
    with pytest.raises(Exception, match="reached"):
        await in_turn(clock=clock).ask(["a", "b", "c", "d", "e"], asked)
    assert asked.names == ["a", "b", "c"]
