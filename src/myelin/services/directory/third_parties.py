"""Other networks that application services bridge to (spec: client-server API, "Third-party Networks")."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from myelin.matrix.errors import NotFound


class ThirdPartyNetwork(Protocol):
    """Asks the application services of one or more protocols; whoever does not answer has found nothing."""

    async def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        """Metadata by protocol."""
        ...

    async def locations(self, protocol: str, fields: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """Portal rooms of a place on the network."""
        ...

    async def users(self, protocol: str, fields: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """Matrix users of somebody on the network."""
        ...

    async def locations_of(self, room_alias: str) -> Sequence[Mapping[str, Any]]:
        """Places on networks of a room."""
        ...

    async def users_of(self, user_id: str) -> Sequence[Mapping[str, Any]]:
        """Whom on a network a Matrix user stands for."""
        ...


Ask = Callable[[ThirdPartyNetwork], Awaitable[Sequence[Mapping[str, Any]]]]


class ThirdPartyNetworks(list[ThirdPartyNetwork]):
    """The part that speaks to application services adds itself; all that are there are asked."""


class ThirdParties:
    """Answers look-ups from all networks together."""

    def __init__(self, networks: ThirdPartyNetworks) -> None:
        self._networks = networks

    async def protocols(self) -> dict[str, Mapping[str, Any]]:
        """Metadata by protocol; instances of one protocol from several services are one list."""
        merged: dict[str, dict[str, Any]] = {}
        for found in await asyncio.gather(*(network.protocols() for network in self._networks)):
            for name, protocol in found.items():
                known = merged.get(name)
                instances = [*(known["instances"] if known else ()), *protocol.get("instances", ())]
                merged[name] = {**(known or protocol), "instances": instances}
        return dict(merged)

    async def protocol(self, name: str) -> Mapping[str, Any]:
        """Metadata of one protocol. Raises NotFound."""
        found = (await self.protocols()).get(name)
        if found is None:
            raise NotFound("This server does not bridge to a network of this kind")
        return found

    async def locations(self, protocol: str, fields: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Portal rooms of a place on a network. Raises NotFound for a protocol that is not there."""
        await self.protocol(protocol)
        return await self._all(lambda network: network.locations(protocol, fields))

    async def users(self, protocol: str, fields: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Matrix users of somebody on a network. Raises NotFound for a protocol that is not there."""
        await self.protocol(protocol)
        return await self._all(lambda network: network.users(protocol, fields))

    async def locations_of(self, room_alias: str) -> list[Mapping[str, Any]]:
        """Places on networks of a room, none if there are none."""
        return await self._all(lambda network: network.locations_of(room_alias))

    async def users_of(self, user_id: str) -> list[Mapping[str, Any]]:
        """Whom on networks a Matrix user stands for, nobody if there is nobody."""
        return await self._all(lambda network: network.users_of(user_id))

    async def _all(self, ask: Ask) -> list[Mapping[str, Any]]:
        answers = await asyncio.gather(*(ask(network) for network in self._networks))
        return [one for answer in answers for one in answer]
