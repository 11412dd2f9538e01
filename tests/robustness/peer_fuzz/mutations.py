"""What is done to a recorded request before it is sent: a plan of small numbers, which hypothesis draws and shrinks."""

import json
import marshal
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from hypothesis import strategies as st

from myelin.matrix.errors import MyelinError
from myelin.matrix.events.hashes import event_id_of
from myelin.matrix.events.signatures import sign_event
from myelin.matrix.room_versions import EventIdFormat, RoomVersion
from remote_room import KEY
from robustness.weird import FLOATS, NUMBERS, TEXTS

DEPTHS = (0, 1, -1, 2, 3, 99, 2**53 - 2, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 1.0, "1", None, True, 10**30)
LONG_LISTS = (2, 11, 21, 60, 3000)


class Step(NamedTuple):
    """One change: what is done, where, and with what; each modulo what there is."""

    act: int
    place: int
    value: int


class Plan(NamedTuple):
    """An input: which recording, what is changed in it, whether it is signed again, and what is done to its bytes.

    `signing` 0: the events keep their signatures; 1: nor is the request signed; 2: by a stranger, 3: by another server
    of the room; 4: the path is changed too; 5 and 6: not the request is changed, but what its server answers when it
    is asked. All else: whatever is changed is signed again.
    """

    recording: int
    steps: tuple[Step, ...]
    signing: int
    bytes_steps: tuple[Step, ...]
    noise: bytes


_steps = st.builds(Step, st.integers(0, 31), st.integers(0, 400), st.integers(0, 400))
_binary = st.binary(min_size=1, max_size=64)


@st.composite
def _plans(draw: st.DrawFn) -> Plan:
    """Most change one thing; one in nine is broken as bytes, one in seventeen has noise in it."""
    shape = draw(st.integers(0, 152))
    count = 0 if shape < 20 else 1 if shape < 100 else 2 if shape < 130 else 4
    steps = tuple(draw(_steps) for _ in range(count))
    bytes_steps = tuple(draw(_steps) for _ in range(1 + shape % 2)) if shape % 9 == 8 else ()
    noise = draw(_binary) if shape % 17 == 16 else b""
    return Plan(draw(st.integers(0, 999)), steps, draw(st.integers(0, 31)), bytes_steps, noise)


plans = _plans()
BATCH = 20
batches = st.lists(plans, min_size=BATCH // 2, max_size=BATCH)


def _deep(levels: int, in_list: bool) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = [value] if in_list else {"d": value}
    return value


VALUES: list[Any] = [
    None, True, False, [], {}, [[]], [{}], {"": ""}, [None], ["x"] * 3, {"a": {"b": "c"}}, {"membership": "join"},
    _deep(5, True), _deep(60, False), _deep(101, True), _deep(500, False), "ban", "invite", "leave", "knock",
    *NUMBERS, *FLOATS, *TEXTS,
]  # fmt: skip


class Names(NamedTuple):
    """What identifiers there are to put in the wrong places."""

    texts: Sequence[str]


def copied(value: Any) -> Any:
    """A deep copy, however deep it is."""
    return marshal.loads(marshal.dumps(value))


def mutated(value: Any, steps: Sequence[Step], names: Names) -> Any:
    """A copy of a JSON value, changed."""
    value = copied(value)
    for step in steps:
        value = _change(value, step, names)
    return value


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if len(path) > 12:
        return
    items = value.items() if isinstance(value, dict) else enumerate(value[:60]) if isinstance(value, list) else ()
    for key, member in items:
        yield from _places(member, (*path, key))


def _at(value: Any, path: Sequence[Any]) -> Any:
    for step in path:
        value = value[step]
    return value


def _change(value: Any, step: Step, names: Names) -> Any:
    places = list(_places(value))
    if not places:
        return _value(step.value)
    chosen = places[step.place % len(places)]
    inside, last = _at(value, chosen[:-1]), chosen[-1]
    match step.act:
        case 0 | 1:
            del inside[last]
        case 2 | 3 if isinstance(inside, dict):
            inside[_sound_text(step.value, names)] = inside.pop(last)
        case 4 | 5:
            other = places[step.value % len(places)]
            there = _at(value, other[:-1])
            inside[last], there[other[-1]] = copied(there[other[-1]]), copied(inside[last])
        case 6:
            many = LONG_LISTS[step.value % len(LONG_LISTS)]
            inside[last] = [inside[last]] * (many if len(json.dumps(inside[last], default=str)) < 60 else 2)
        case 7 if isinstance(inside, dict):
            inside[_sound_text(step.value, names)] = copied(inside[last])
        case 8 | 9 | 10 | 11 | 12 | 13:
            inside[last] = names.texts[step.value % len(names.texts)]
        case 14 | 15 | 16:
            _deepen(value, step.value)
        case 17 | 18 | 19:
            _knot(value, step)
        case 20 | 21 if isinstance(inside[last], str):
            inside[last] = inside[last] + str(_value(step.value))[:300]
        case 22 if isinstance(value, dict) and isinstance(value.get("pdus"), list) and value["pdus"]:
            again = value["pdus"][step.place % len(value["pdus"])]
            value["pdus"] = (value["pdus"] + [copied(again)] * (step.value % 55))[:60]
        case _:
            inside[last] = _value(step.value)
    return value


def _is_json(value: Any) -> bool:
    try:
        orjson.loads(json.dumps(value))
    except orjson.JSONDecodeError:
        return False
    return True


SOUND = [value for value in VALUES if _is_json(value)]
"""Most inputs are JSON, so that more than its parser is tried."""


def _value(number: int) -> Any:
    among = SOUND if number % 16 else VALUES
    return copied(among[number // 3 % len(among)])


def _text(number: int, names: Names) -> str:
    return (*TEXTS, *names.texts)[number % (len(TEXTS) + len(names.texts))]


def _sound_text(number: int, names: Names) -> str:
    return _text(number, names).encode("utf-8", "ignore").decode() if number % 16 else _text(number, names)


def events_in(value: Any) -> list[dict[str, Any]]:
    """What looks like events in a request's body, wherever they stand."""
    found = []
    for path in ((), *_places(value)):
        if len(path) > 4:
            continue
        one = _at(value, path)
        if isinstance(one, dict) and "sender" in one and "content" in one and "type" in one:
            found.append(one)
    return found


def _deepen(value: Any, number: int) -> None:
    for event in events_in(value)[:1]:
        event["depth"] = DEPTHS[number % len(DEPTHS)]


def _knot(value: Any, step: Step) -> None:
    """References that go in circles, to nothing, or to the event itself."""
    events = events_in(value)
    if not events:
        return
    one, other = events[step.place % len(events)], events[step.value % len(events)]
    name = ("prev_events", "auth_events")[step.act % 2]
    if "event_id" in other:
        one[name] = [[other["event_id"], {}]]
        other[name] = [[one.get("event_id", "$x:peer1"), {}]]
    else:
        there = one.get(name)
        listed = there if isinstance(there, list) else []
        one[name] = ([*listed, *listed], listed[:1], [], [*listed, "$" + "A" * 43], [7])[step.value % 5]


def signed_again(body: Any, version: RoomVersion) -> None:
    """Sign all events in a body again, each with the key of its sender's server, so that what stands behind the
    signature is reached; what has no canonical form keeps the signature that it has."""
    for event in events_in(body):
        sender = event.get("sender")
        server = sender.partition(":")[2] if isinstance(sender, str) else ""
        bare = {key: value for key, value in event.items() if key not in ("hashes", "signatures")}
        try:
            fresh = sign_event(bare, version, server or "peer1", KEY)
        except (MyelinError, TypeError, ValueError, AttributeError, RecursionError):
            continue
        event.update({key: fresh[key] for key in ("hashes", "signatures")})


def id_of(event: Any, version: RoomVersion) -> str:
    """An event's ID as its sender would tell it in a path; any where it has none."""
    try:
        if version.event_id_format is EventIdFormat.SENDER_CHOSEN:
            return str(event["event_id"])
        return event_id_of(event, version)
    except (MyelinError, TypeError, ValueError, KeyError, AttributeError, RecursionError):
        return "$none"


def encoded(value: Any) -> bytes:
    """JSON as a careless library writes it: numbers of any size, NaN, halves of surrogate pairs."""
    return json.dumps(value, ensure_ascii=True).encode()


def mutated_bytes(data: bytes, steps: Sequence[Step], noise: bytes) -> bytes:
    """The bytes of a body, changed below the level of JSON."""
    for step in steps:
        at = step.place * 37 % (len(data) + 1)
        match step.act % 8:
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + b"\xff\xfe\xed\xa0\x80"[: 1 + step.value % 5] + data[at:]
            case 2 | 3:
                data = _doubled_key(data, step)
            case 4:
                data = data[:at] + bytes([step.value % 256]) + data[at + 1 :]
            case 5:
                data = (b"\xef\xbb\xbf", b"\0", b"[", b"{")[step.value % 4] + data
            case 6:
                data += (b"}", b"\n\n", b"null", b"\0", b"{}")[step.value % 5]
            case _:
                data = data[:at] + data[at // 2 : at] + data[at:]
    if noise:
        at = sum(noise) * 37 % (len(data) + 1)
        data = noise if noise[0] < 100 else data[:at] + noise + data[at:]
    return data


def _doubled_key(data: bytes, step: Step) -> bytes:
    """One of the keys stands there twice, with another value the first time."""
    keys = data.split(b'"')[1::2]
    braces = [index for index, byte in enumerate(data) if byte == ord("{")]
    if not keys or not braces:
        return data
    at = braces[step.place % len(braces)] + 1
    key = keys[step.value % len(keys)]
    tail = b"," if data[at : at + 1] != b"}" else b""
    return data[:at] + b'"' + key + b'":' + (b"null", b"{}", b"[]", b'"x"', b"1e400")[step.act % 5] + tail + data[at:]


def mutated_texts(texts: Sequence[str], step: Step, names: Names) -> tuple[str, ...]:
    """Parts of a path or a query, one of them replaced."""
    if not texts:
        return ()
    changed = list(texts)
    changed[step.place % len(texts)] = (
        _text(step.value, names) if step.act % 4 else names.texts[step.value % len(names.texts)]
    )
    return tuple(changed)
