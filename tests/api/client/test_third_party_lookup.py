"""Look-ups on other networks, with and without somebody who bridges to them."""

from collections.abc import Mapping
from typing import Any

from inprocess import TestServer
from myelin.services.directory.third_parties import ThirdPartyNetworks

METADATA = {
    "user_fields": ["nick"],
    "location_fields": ["channel"],
    "icon": "mxc://hs1/irc",
    "field_types": {"nick": {"regexp": ".+", "placeholder": "nick"}, "channel": {"regexp": "#.+", "placeholder": "#x"}},
}


class Irc:
    """A network with one channel and one person."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        instance = {"network_id": self.name, "desc": self.name, "fields": {}}
        return {"irc": {**METADATA, "instances": [instance]}}

    async def locations(self, protocol: str, fields: Mapping[str, str]) -> list[Mapping[str, Any]]:
        return await self.locations_of("#irc:hs1") if fields == {"channel": f"#{self.name}"} else []

    async def users(self, protocol: str, fields: Mapping[str, str]) -> list[Mapping[str, Any]]:
        return await self.users_of("@irc:hs1") if fields == {"nick": self.name} else []

    async def locations_of(self, room_alias: str) -> list[Mapping[str, Any]]:
        return [{"alias": room_alias, "protocol": "irc", "fields": {"channel": f"#{self.name}"}}]

    async def users_of(self, user_id: str) -> list[Mapping[str, Any]]:
        return [{"userid": user_id, "protocol": "irc", "fields": {"nick": self.name}}]


async def test_without_bridges_there_is_nothing(server: TestServer) -> None:
    alice = await server.register("alice")
    assert await alice.get("thirdparty/protocols") == {}
    assert await alice.get("thirdparty/location", alias="#x:hs1") == []
    assert await alice.get("thirdparty/user", userid="@x:hs1") == []
    (await alice("GET", "thirdparty/protocol/irc")).error(404, "M_NOT_FOUND")
    (await alice("GET", "thirdparty/location/irc", channel="x")).error(404, "M_NOT_FOUND")
    (await alice("GET", "thirdparty/user/irc", nick="x")).error(404, "M_NOT_FOUND")


async def test_bridges_of_one_protocol_answer_together(server: TestServer) -> None:
    alice = await server.register("alice")
    server.app.services[ThirdPartyNetworks].extend([Irc("libera"), Irc("oftc")])
    found = await alice.get("thirdparty/protocols")
    assert [i["network_id"] for i in found["irc"]["instances"]] == ["libera", "oftc"]
    assert await alice.get("thirdparty/protocol/irc") == found["irc"]
    places = await alice.get("thirdparty/location/irc", channel="#oftc")
    assert places == [{"alias": "#irc:hs1", "protocol": "irc", "fields": {"channel": "#oftc"}}]
    people = await alice.get("thirdparty/user/irc", nick="libera")
    assert people == [{"userid": "@irc:hs1", "protocol": "irc", "fields": {"nick": "libera"}}]
    assert len(await alice.get("thirdparty/location", alias="#a:hs1")) == 2
    assert len(await alice.get("thirdparty/user", userid="@a:hs1")) == 2


async def test_what_is_missing(server: TestServer) -> None:
    alice = await server.register("alice")
    (await alice("GET", "thirdparty/location")).error(400, "M_MISSING_PARAM")
    (await alice("GET", "thirdparty/user")).error(400, "M_MISSING_PARAM")
    for path in ("protocols", "protocol/irc", "location", "user", "location/irc", "user/irc"):
        (await server.anonymous("GET", f"thirdparty/{path}")).error(401, "M_MISSING_TOKEN")
