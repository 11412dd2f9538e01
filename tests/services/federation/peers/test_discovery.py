"""Where a server is, by the spec's steps."""

from typing import Any

import pytest

from held_clock import HeldClock
from myelin.http.https_place import HttpsTarget
from myelin.matrix.identifiers import ServerAddress, parse_server_name
from myelin.services.federation.peers.discovery import Discovery
from myelin.services.federation.peers.errors import PeerUnreachable
from myelin.services.federation.peers.srv_records import SrvAnswer, SrvRecord
from myelin.telemetry.ambient import SystemRandomness


class Files:
    """Well-known files by host."""

    def __init__(self, **files: str):
        self.files = {f"{name}.test": file for name, file in files.items()}
        self.asked: list[str] = []
        self.doubted: list[str] = []

    async def delegated(self, host: str) -> ServerAddress | None:
        self.asked.append(host)
        return parse_server_name(self.files[host]) if host in self.files else None

    def doubt(self, host: str) -> None:
        self.doubted.append(host)


class Srv:
    """SRV records by name."""

    def __init__(self, **records: list[SrvRecord]):
        self.records = records
        self.asked: list[str] = []

    async def look_up(self, name: str) -> SrvAnswer:
        self.asked.append(name)
        service, _, host = name.partition("._tcp.")
        return SrvAnswer(self.records.get(f"{service.strip('_').replace('-', '_')}_{host.partition('.')[0]}", []), 100)


def discovery(files: Files | None = None, srv: Srv | None = None, clock: Any = None) -> Discovery:
    return Discovery(files or Files(), srv or Srv(), clock or HeldClock(), SystemRandomness())


FILES = {
    "to4": "1.2.3.4",
    "to4port": "1.2.3.4:99",
    "to6": "[1::2]:99",
    "toport": "there.test:99",
    "tohost": "there.test",
    "tonew": "new.test",
    "toold": "old.test",
    "toitself": "toitself.test",
}
SRV = {
    "matrix_fed_new": [SrvRecord(1, 0, 1000, "host1.test"), SrvRecord(0, 0, 2000, "host2.test")],
    "matrix_new": [SrvRecord(0, 0, 1, "not-asked-for.test")],
    "matrix_old": [SrvRecord(0, 0, 3000, "host3.test")],
}


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        # 1. IP literals
        ("1.2.3.4", [("1.2.3.4", 8448, "1.2.3.4", "1.2.3.4")]),
        ("1.2.3.4:5", [("1.2.3.4", 5, "1.2.3.4", "1.2.3.4:5")]),
        ("[1::2]", [("1::2", 8448, "1::2", "[1::2]")]),
        ("[1::2]:5", [("1::2", 5, "1::2", "[1::2]:5")]),
        # 2. a port
        ("toport.test:5", [("toport.test", 5, "toport.test", "toport.test:5")]),
        # 3.1 delegated to an address
        ("to4.test", [("1.2.3.4", 8448, "1.2.3.4", "1.2.3.4")]),
        ("to4port.test", [("1.2.3.4", 99, "1.2.3.4", "1.2.3.4:99")]),
        ("to6.test", [("1::2", 99, "1::2", "[1::2]:99")]),
        # 3.2 delegated to a host and a port
        ("toport.test", [("there.test", 99, "there.test", "there.test:99")]),
        # 3.3 delegated to a host with an SRV record
        (
            "tonew.test",
            [("host2.test", 2000, "new.test", "new.test"), ("host1.test", 1000, "new.test", "new.test")],
        ),
        # 3.4 … with an old one
        ("toold.test", [("host3.test", 3000, "old.test", "old.test")]),
        # 3.5 … with none
        ("tohost.test", [("there.test", 8448, "there.test", "there.test")]),
        ("toitself.test", [("toitself.test", 8448, "toitself.test", "toitself.test")]),
        # 4. no file, an SRV record
        ("new.test", [("host2.test", 2000, "new.test", "new.test"), ("host1.test", 1000, "new.test", "new.test")]),
        # 5. … an old one
        ("old.test", [("host3.test", 3000, "old.test", "old.test")]),
        # 6. nothing
        ("plain.test", [("plain.test", 8448, "plain.test", "plain.test")]),
    ],
)
async def test_the_steps(name: str, targets: list[tuple[str, int, str, str]]):
    found = await discovery(Files(**FILES), Srv(**SRV)).targets(name)
    assert found == [HttpsTarget(*target) for target in targets]


async def test_what_needs_no_look_up_causes_none():
    files, srv = Files(**FILES), Srv(**SRV)
    for name in ("1.2.3.4", "[::1]", "a.test:1"):
        await discovery(files, srv).targets(name)
    assert (files.asked, srv.asked) == ([], [])
    await discovery(files, srv).targets("toport.test")
    assert srv.asked == []


async def test_a_delegated_hosts_own_file_is_not_asked_for():
    files = Files(a="b.test", b="c.test")
    assert (await discovery(files).targets("a.test"))[0].host == "b.test"
    assert files.asked == ["a.test"]


async def test_a_single_dot_says_that_there_is_no_server():
    srv = Srv(matrix_fed_none=[SrvRecord(0, 0, 0, "")], matrix_none=[SrvRecord(0, 0, 1, "old.test")])
    with pytest.raises(PeerUnreachable):
        await discovery(srv=srv).targets("none.test")


async def test_records_are_kept_as_long_as_they_hold():
    clock, srv = HeldClock(), Srv(**SRV)
    finder = discovery(srv=srv, clock=clock)
    await finder.targets("new.test")
    clock.pass_ms(99_999)
    await finder.targets("new.test")
    assert srv.asked == ["_matrix-fed._tcp.new.test."]
    clock.pass_ms(1)
    await finder.targets("new.test")
    assert len(srv.asked) == 2


async def test_doubt_reaches_the_file_that_was_followed():
    files = Files(**FILES)
    finder = discovery(files)
    for name in ("tohost.test", "a.test:1", "1.2.3.4"):
        finder.doubt(name)
    assert files.doubted == ["tohost.test"]
