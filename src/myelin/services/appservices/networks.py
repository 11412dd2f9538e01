"""Networks that application services bridge to (spec: application service API, "Third-party networks")."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import structlog

from myelin.http.client import RequestFailed
from myelin.services.appservices.registration import Registration
from myelin.services.appservices.registry import Appservices
from myelin.services.appservices.requests import AppserviceRequests
from myelin.telemetry.ambient import Clock

PROTOCOL_KEPT_S = 600.0
"""How long what an application service says of a protocol is believed."""
MAX_RESULTS = 1_000
INSTANCE_SEPARATOR = "|"

_log = structlog.get_logger("myelin.appservices")

Asked = Sequence[Mapping[str, Any]]


class AppserviceNetworks:
    """Asks those who serve a protocol, all at once; who does not answer has found nothing."""

    def __init__(self, registry: Appservices, requests: AppserviceRequests, clock: Clock) -> None:
        self._registry = registry
        self._requests = requests
        self._clock = clock
        self._protocols: dict[tuple[str, str], tuple[float, Mapping[str, Any]]] = {}
        registry.changed.append(self._protocols.clear)

    async def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        """Metadata by protocol, the instances of several application services in one list."""
        asked = [(r, p) for r in self._registry.all if r.url for p in r.protocols]
        merged: dict[str, dict[str, Any]] = {}
        answers = await asyncio.gather(*(self._protocol(r, p) for r, p in asked))
        for (_, name), found in zip(asked, answers, strict=True):
            if found is not None:
                before = merged[name]["instances"] if name in merged else []
                merged[name] = {**found, **merged.get(name, {}), "instances": [*before, *found["instances"]]}
        return merged

    async def locations(self, protocol: str, fields: Mapping[str, str]) -> Asked:
        """Portal rooms of a place on the network."""
        return await self._all(self._serving(protocol), f"location/{quote(protocol, safe='')}", fields, "alias")

    async def users(self, protocol: str, fields: Mapping[str, str]) -> Asked:
        """Matrix users of somebody on the network."""
        return await self._all(self._serving(protocol), f"user/{quote(protocol, safe='')}", fields, "userid")

    async def locations_of(self, room_alias: str) -> Asked:
        """Places on networks of a room."""
        asked = [r for r in self._registry.with_alias(room_alias) if r.protocols]
        return await self._all(asked, "location", {"alias": room_alias}, "alias")

    async def users_of(self, user_id: str) -> Asked:
        """Whom on a network a Matrix user stands for."""
        asked = [r for r in self._registry.all if r.protocols and r.has_user(user_id)]
        return await self._all(asked, "user", {"userid": user_id}, "userid")

    def _serving(self, protocol: str) -> list[Registration]:
        return [r for r in self._registry.all if protocol in r.protocols]

    async def _protocol(self, of: Registration, protocol: str) -> Mapping[str, Any] | None:
        key = (of.appservice_id, protocol)
        held = self._protocols.get(key)
        if held is not None and held[0] > self._clock.monotonic():
            return held[1]
        found = await self._answer(of, f"protocol/{quote(protocol, safe='')}", {})
        if not _is_protocol(found):
            return None
        shown = {**found, "instances": [_named(of, instance) for instance in found["instances"]]}
        self._protocols[key] = self._clock.monotonic() + PROTOCOL_KEPT_S, shown
        return shown

    async def _all(
        self, asked: Iterable[Registration], path: str, fields: Mapping[str, str], needed: str
    ) -> list[Mapping[str, Any]]:
        answers = await asyncio.gather(*(self._answer(r, path, fields) for r in asked if r.url))
        lists = [answer for answer in answers if isinstance(answer, list)]
        return [one for found in lists for one in found[:MAX_RESULTS] if _is_result(one, needed)]

    async def _answer(self, of: Registration, path: str, fields: Mapping[str, str]) -> Any:
        try:
            return await self._requests.third_party(of, path, fields)
        except RequestFailed as error:
            _log.info("a look-up on another network failed", appservice=of.appservice_id, reason=str(error))
            return None


def _is_protocol(found: Any) -> bool:
    """Whether it has the form of a protocol; what is in it is between the application service and clients."""
    instances = found.get("instances") if isinstance(found, dict) else None
    return isinstance(instances, list) and all(isinstance(instance, dict) for instance in instances)


def _named(of: Registration, instance: Mapping[str, Any]) -> Mapping[str, Any]:
    """An instance with what its rooms are listed under (`third_party_instance_id`)."""
    network_id = instance.get("network_id")
    if not isinstance(network_id, str):
        return instance
    return {**instance, "instance_id": f"{of.appservice_id}{INSTANCE_SEPARATOR}{network_id}"}


def _is_result(one: Any, needed: str) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get(needed), str)
        and isinstance(one.get("protocol"), str)
        and isinstance(one.get("fields"), dict)
    )
