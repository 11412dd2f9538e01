"""Where everything of the sign-in service is found: the only place that its paths are put together."""

from urllib.parse import quote, urlencode


class Addresses:
    """Absolute addresses under the service's own."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        self.issuer = f"{self.base}/"
        self.authorize = self._at("authorize")
        self.token = self._at("oauth2/token")
        self.revoke = self._at("oauth2/revoke")
        self.introspect = self._at("oauth2/introspect")
        self.registration = self._at("oauth2/registration")
        self.device_authorization = self._at("oauth2/device")
        self.keys = self._at("oauth2/keys.json")
        self.userinfo = self._at("oauth2/userinfo")
        self.account = self._at("account")
        self.cross_signing = self._at("account/cross-signing")
        self.device = self._at("device")

    @property
    def is_secure(self) -> bool:
        """Whether cookies can be kept to HTTPS."""
        return self.base.startswith("https://")

    def consent(self, grant_id: str) -> str:
        """The page that asks a user about a client's request."""
        return self._at(f"consent/{quote(grant_id, safe='')}")

    def login(self, then: str = "") -> str:
        """The page to sign in at, and where it leads: a path of this service."""
        return self._with("login", then)

    def register(self, then: str = "") -> str:
        """The page to make an account at."""
        return self._with("register", then)

    def registering(self, draft: str, step: str) -> str:
        """A later page of making an account."""
        return self._at(f"register/{quote(draft, safe='')}/{step}")

    def _with(self, page: str, then: str) -> str:
        return self._at(page) + (f"?{urlencode({'then': then})}" if then else "")

    def _at(self, path: str) -> str:
        return f"{self.base}/auth/{path}"
