"""Which servers this one speaks with, by the configuration."""

from myelin.config.sections.federation import Federation
from myelin.matrix.globs import GlobSet
from myelin.matrix.identifiers import is_server_name
from myelin.services.federation.peers.errors import PeerNotAllowed

MAX_REMEMBERED = 10_000


class AllowedServers:
    """Decides on server names; `deny` wins over `allow`, and an empty `allow` lets all in."""

    def __init__(self, config: Federation, own_name: str) -> None:
        self._enabled = config.enabled
        self._own_name = own_name
        self._allow = GlobSet(name.lower() for name in config.allow or ("*",))
        self._deny = GlobSet(name.lower() for name in config.deny)
        self._allowed: set[str] = set()
        """Names that were looked at and let in."""

    def check(self, server_name: str) -> None:
        """Raise PeerNotAllowed for a server that is not spoken with."""
        if server_name in self._allowed:
            return
        if not self._enabled:
            raise PeerNotAllowed("this server does not federate")
        if not is_server_name(server_name) or server_name == self._own_name:
            raise PeerNotAllowed("not another server's name")
        if not self.allows(server_name):
            raise PeerNotAllowed(f"this server does not federate with {server_name}")
        if len(self._allowed) >= MAX_REMEMBERED:
            self._allowed.clear()
        self._allowed.add(server_name)

    def allows(self, server_name: str) -> bool:
        """Whether the lists let a server in."""
        name = server_name.lower()
        return bool(self._allow.matches(name)) and not self._deny.matches(name)
