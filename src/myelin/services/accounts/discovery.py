"""What the server says of itself: versions, features, capabilities, and where it is found."""

from typing import Any
from urllib.parse import urlsplit

from myelin.config.config import Config
from myelin.matrix.errors import NotFound
from myelin.matrix.room_versions import DEFAULT_ROOM_VERSION, ROOM_VERSIONS

SPEC_VERSIONS = ("r0.6.1", *(f"v1.{minor}" for minor in range(1, 20)))
HTTPS_PORT = 443
HTTP_PORT = 80


class Discovery:
    """The answers of `/versions`, `/capabilities` and the well-known files; each part adds what it offers."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.unstable_features: dict[str, bool] = {"uk.tcpip.msc4133": True}
        """Features outside the spec, or before their version."""
        self.capabilities: dict[str, Any] = {
            "m.change_password": {"enabled": True},
            "m.room_versions": {
                "default": DEFAULT_ROOM_VERSION.identifier,
                "available": dict.fromkeys(ROOM_VERSIONS, "stable"),
            },
            "m.profile_fields": {"enabled": True},
            "m.set_displayname": {"enabled": True},
            "m.set_avatar_url": {"enabled": True},
            "m.3pid_changes": {"enabled": False},
            "m.get_login_token": {"enabled": True},
            "m.forget_forced_upon_leave": {"enabled": False},
        }
        self.auth_metadata: dict[str, Any] | None = None
        """What the authorization server says of itself; None where there is none."""
        self.well_known_client: dict[str, Any] = {"m.homeserver": {"base_url": config.public_url}}

    def capabilities_of(self, *, is_admin: bool) -> dict[str, Any]:
        """What a user may do; administrators may moderate accounts too."""
        if not is_admin:
            return self.capabilities
        return {**self.capabilities, "m.account_moderation": {"suspend": True, "lock": True}}

    def client_file(self) -> dict[str, Any]:
        """`/.well-known/matrix/client`. Raises NotFound where it is not served."""
        self._check_served()
        return self.well_known_client

    def server_file(self) -> dict[str, str]:
        """`/.well-known/matrix/server`. Raises NotFound where it is not served or there is no federation."""
        self._check_served()
        if not self._config.federation.enabled:
            raise NotFound("This server does not federate")
        if self._config.federation.address:
            return {"m.server": self._config.federation.address}
        address = urlsplit(self._config.public_url)
        port = address.port or (HTTP_PORT if address.scheme == "http" else HTTPS_PORT)
        host = f"[{address.hostname}]" if ":" in (address.hostname or "") else address.hostname
        return {"m.server": f"{host}:{port}"}

    def support_file(self) -> dict[str, Any]:
        """`/.well-known/matrix/support`. Raises NotFound where nothing is configured."""
        self._check_served()
        server = self._config.server
        contact = {"email_address": server.support_email, "matrix_id": server.support_matrix_id}
        contact = {name: value for name, value in contact.items() if value}
        answer: dict[str, Any] = {}
        if contact:
            answer["contacts"] = [{"role": "m.role.admin", **contact}]
        if server.support_page:
            answer["support_page"] = server.support_page
        if not answer:
            raise NotFound("No contact is configured")
        return answer

    def policy_server_file(self) -> dict[str, Any]:
        """`/.well-known/matrix/policy_server`. Raises NotFound where there is none."""
        self._check_served()
        if not self._config.server.policy_server_key:
            raise NotFound("There is no policy server under this name")
        return {"public_keys": {"ed25519": self._config.server.policy_server_key}}

    def _check_served(self) -> None:
        if not self._config.server.serve_well_known:
            raise NotFound("This server does not serve its well-known files")
