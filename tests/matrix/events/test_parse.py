"""From JSON to a Pdu and back, for each room version."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.strategies import HS1, HS1_KEY, VERSIONS, create_event, drafts, event, event_id_for, json_values, versions
from myelin.matrix.errors import EventFormatError
from myelin.matrix.events.build import build_pdu
from myelin.matrix.events.format import check_pdu_format
from myelin.matrix.events.parse import parse_pdu
from myelin.matrix.events.pdu import Pdu
from myelin.matrix.room_versions import V1, V10, V11, V12, RoomVersion

FIELDS = Pdu.__struct_fields__


def fields(pdu: Pdu) -> dict[str, Any]:
    return {name: getattr(pdu, name) for name in FIELDS}


@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: v.identifier)
@given(data=st.data())
def test_what_was_built_comes_back_over_the_wire(version: RoomVersion, data: st.DataObject) -> None:
    draft = data.draw(drafts(version))
    built = build_pdu(draft, version, HS1, HS1_KEY)
    received = orjson.loads(orjson.dumps(built.raw))
    check_pdu_format(received, version)
    assert fields(parse_pdu(received, version)) == fields(built)
    assert fields(parse_pdu(received, version, event_id=built.event_id)) == fields(built)
    assert (built.type, built.sender, built.state_key) == (draft.type, draft.sender, draft.state_key)
    assert (built.auth_events, built.prev_events) == (tuple(draft.auth_events), tuple(draft.prev_events))
    assert built.origin_server_ts == draft.origin_server_ts


@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: v.identifier)
def test_room_id_of_a_create_event(version: RoomVersion) -> None:
    create = create_event(version)
    if version is V12:
        assert "room_id" not in create.raw
        assert create.room_id == "!" + create.event_id[1:]
    else:
        assert create.room_id == create.raw["room_id"]


def test_a_create_event_that_names_a_room_is_left_for_the_rules_to_refuse() -> None:
    raw = create_event(V12).raw | {"room_id": "!other"}
    assert parse_pdu(raw, V12).room_id == "!other"


def test_references_of_version_1_are_pairs() -> None:
    pdu = event(V1, reference_hashes={event_id_for(V1, "p"): "hash"})
    assert pdu.raw["prev_events"] == [["$p:hs1.example", {"sha256": "hash"}]]
    assert pdu.raw["auth_events"] == [["$c:hs1.example", {}], ["$m:hs1.example", {}]]
    assert pdu.prev_events == ("$p:hs1.example",)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda v: v.identifier)
def test_where_a_redaction_names_its_target(version: RoomVersion) -> None:
    target = event_id_for(version, "t")
    pdu = event(version, type="m.room.redaction", content={"reason": "spam"}, redacts=target)
    assert pdu.redacts == target
    if version in (V11, V12):
        assert pdu.content == {"reason": "spam", "redacts": target}
        assert "redacts" not in pdu.raw
    else:
        assert pdu.content == {"reason": "spam"}
        assert pdu.raw["redacts"] == target


@pytest.mark.parametrize("version", [V10, V12], ids=lambda v: v.identifier)
def test_other_events_redact_nothing(version: RoomVersion) -> None:
    raw = event(version, content={"redacts": "$a"}).raw | {"redacts": "$b"}
    assert parse_pdu(raw, version).redacts is None
    odd = event(version, type="m.room.redaction", content={"redacts": 5}).raw | {"redacts": ["x"]}
    assert parse_pdu(odd, version).redacts is None


def test_verdict_and_trusted_id_are_taken_as_given() -> None:
    pdu = parse_pdu(event(V12).raw, V12, event_id="$given", rejected=True)
    assert pdu.event_id == "$given"
    assert pdu.rejected
    assert not pdu.is_state
    assert event(V12, state_key="").key == ("m.room.message", "")


@given(
    st.dictionaries(st.sampled_from([*event(V1).raw, "redacts", "state_key"]), json_values, max_size=4),
    st.sets(st.sampled_from(sorted(event(V1).raw)), max_size=2),
    versions,
)
def test_unchecked_json_raises_one_kind_of_error_or_none(
    changes: dict[str, Any], missing: set[str], version: RoomVersion
) -> None:
    raw = {key: value for key, value in (event(version).raw | changes).items() if key not in missing}
    try:
        pdu = parse_pdu(raw, version)
    except EventFormatError:
        return
    assert pdu.raw is raw
