"""`/versions` names the features before their version that are served, and no others: derived from the declarations."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

from inprocess import TestServer, make_config, running_server
from myelin.api.table import declared_endpoints
from myelin.config.sections.accounts import Sessions
from myelin.config.sections.messaging import Rooms
from myelin.matrix.invite_permission import UNSTABLE_INVITE_PERMISSION

NUMBER = re.compile(r"msc(\d{4})")
WITHOUT_FLAG = {
    "2946": "Spaces: clients go by v1.2.",
    "2965": "OAuth 2.0 discovery: clients ask and look at the answer.",
    "3916": "Authenticated media: clients go by v1.11.",
    "4308": "Comes with MSC4306, whose flag stands for both.",
}
"""Proposals whose paths are served for old clients, or that have no flag of their own."""
WITHOUT_ENDPOINT = {"4155": UNSTABLE_INVITE_PERMISSION}
"""Proposals that are nothing but a name in account data."""


def declared() -> dict[str, list[tuple[str, str]]]:
    """By proposal the methods and paths that carry its number, or take a parameter that does."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for endpoint in declared_endpoints():
        for path in (endpoint.path, *endpoint.also):
            if path.startswith("/_matrix/client/"):
                for number in {*NUMBER.findall(path), *_numbers_in(endpoint.parameters.get("query"))}:
                    found[number].append((endpoint.method, path))
    return found


def _numbers_in(query: Any) -> set[str]:
    names = query.__struct_encode_fields__ if isinstance(query, type) and issubclass(query, msgspec.Struct) else ()
    return {number for name in names for number in NUMBER.findall(name)}


def numbers(features: dict[str, bool]) -> set[str]:
    return {number for name in features for number in NUMBER.findall(name)}


async def features_of(server: TestServer) -> dict[str, bool]:
    return (await server.anonymous.get("/_matrix/client/versions"))["unstable_features"]


async def test_what_is_declared_is_advertised_and_the_reverse(server: TestServer) -> None:
    features = await features_of(server)
    assert all(features.values()), "what is on by default is said to be on"
    advertised = numbers(features)
    assert len(advertised) == len(features), "each flag names its proposal"
    served = set(declared())
    assert served - advertised == set(WITHOUT_FLAG)
    assert advertised - served == set(WITHOUT_ENDPOINT)
    for number, name in WITHOUT_ENDPOINT.items():
        assert number in name


async def test_every_advertised_path_is_there(server: TestServer) -> None:
    advertised = numbers(await features_of(server))
    alice = await server.register("alice")
    for number, places in declared().items():
        for method, path in places if number in advertised else ():
            answer = await alice(method, re.sub(r"\{\w+\}", "x", path), {} if method in ("PUT", "POST") else None)
            assert answer.status != 405, (method, path)
            assert (answer.json or {}).get("errcode") != "M_UNRECOGNIZED", (method, path)


async def test_what_is_switched_off_is_said_to_be_off(tmp_path: Path) -> None:
    config = make_config(tmp_path, sessions=Sessions(rendezvous="off"), rooms=Rooms(max_event_delay_ms=0))
    async with running_server(config) as server:
        features = await features_of(server)
        off = {name for name, is_on in features.items() if not is_on}
        assert off == {"org.matrix.msc4108", "io.element.msc4388", "org.matrix.msc4140"}
