"""SRV records: their order, and how they are asked for."""

import itertools
import struct
from collections import Counter

import dns.asyncresolver
import dns.exception
import dns.message
import dns.resolver
import dns.rrset
import pytest
from dns.rdataclass import IN
from dns.rdatatype import SRV
from hypothesis import given
from hypothesis import strategies as st

from myelin.services.federation.peers.srv_records import (
    FAILED_LIFETIME_S,
    MAX_LIFETIME_S,
    MAX_TARGETS,
    MIN_LIFETIME_S,
    DnsSrvSource,
    SrvAnswer,
    SrvRecord,
    in_order,
    usable,
)

RECORDS = st.lists(
    st.builds(SrvRecord, st.integers(0, 3), st.integers(0, 100), st.integers(1, 9), st.sampled_from("abcdef")),
    max_size=12,
)


class Lots:
    """Numbers in order, as randomness."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def token_bytes(self, count: int) -> bytes:
        return struct.pack(">Q", next(self._numbers))[-count:]

    def string(self, length: int, alphabet: str) -> str:
        return alphabet[0] * length


@given(RECORDS)
def test_all_are_tried_the_lowest_priority_first(records: list[SrvRecord]):
    ordered = in_order(records, Lots())
    assert len(ordered) == min(len(records), MAX_TARGETS)
    assert [r.priority for r in ordered] == sorted(r.priority for r in records)[: len(ordered)]
    assert not Counter(ordered) - Counter(records)


def test_weights_are_chances():
    records = [SrvRecord(0, 3, 1, "often"), SrvRecord(0, 1, 1, "seldom"), SrvRecord(0, 0, 1, "hardly")]
    lots = Lots()
    # Each of the five outcomes of the lot comes equally often, as it is drawn for the first place from 0 to 4.
    firsts = Counter(in_order(records, _Fixed(lot)).pop(0).target for lot in range(5))
    assert firsts == {"often": 3, "seldom": 1, "hardly": 1}
    assert len(in_order(records, lots)) == 3


class _Fixed(Lots):
    def __init__(self, lot: int) -> None:
        self._lot = lot

    def token_bytes(self, count: int) -> bytes:
        return self._lot.to_bytes(count, "big")


def test_what_cannot_be_connected_to_is_left_out():
    good = SrvRecord(0, 0, 443, "host.test")
    odd = [SrvRecord(0, 0, 443, target) for target in ("", ".", "a..b", "a/b", "a@b", "a:1", "x" * 254, "ä.test")]
    assert usable([*odd, good, SrvRecord(0, 0, 0, "host.test")]) == [good]


def answer_of(*records: str, ttl: int = 300) -> dns.resolver.Answer:
    question = dns.message.make_query("_matrix-fed._tcp.a.test.", "SRV")
    response = dns.message.make_response(question)
    if records:
        response.answer.append(dns.rrset.from_text(question.question[0].name, ttl, "IN", "SRV", *records))
    return dns.resolver.Answer(question.question[0].name, SRV, IN, dns.message.from_wire(response.to_wire()))


@pytest.mark.parametrize(("ttl", "lifetime"), [(300, 300), (0, MIN_LIFETIME_S), (MAX_LIFETIME_S + 1, MAX_LIFETIME_S)])
async def test_an_answer_holds_as_long_as_it_says_within_bounds(monkeypatch, ttl: int, lifetime: int):
    async def resolve(name: str, kind: str, **_: object) -> dns.resolver.Answer:
        assert (name, kind) == ("_matrix-fed._tcp.a.test.", "SRV")
        return answer_of("10 5 8448 host.test.", "20 0 443 .", ttl=ttl)

    monkeypatch.setattr(dns.asyncresolver, "resolve", resolve)
    found = await DnsSrvSource().look_up("_matrix-fed._tcp.a.test.")
    assert found.lifetime_s == lifetime
    assert {record.target for record in usable(found.records)} == {"host.test"}
    assert len(found.records) == 2


@pytest.mark.parametrize(
    "failure", [dns.resolver.NXDOMAIN(), dns.resolver.NoNameservers(), dns.exception.Timeout(), OSError(), None]
)
async def test_no_answer_is_no_records(monkeypatch, failure: Exception | None):
    async def resolve(*_: object, **__: object) -> dns.resolver.Answer:
        if failure is not None:
            raise failure
        return answer_of()

    monkeypatch.setattr(dns.asyncresolver, "resolve", resolve)
    found = await DnsSrvSource().look_up("_matrix-fed._tcp.a.test.")
    assert (list(found.records), found.lifetime_s) == ([], FAILED_LIFETIME_S)
    assert isinstance(found, SrvAnswer)
