"""What an https:// URL holds together, taken apart: which host is connected to, as whom, and what for."""

from typing import NamedTuple

from yarl import URL

from myelin.http.client import RequestFailed

HTTPS_PORT = 443


class HttpsTarget(NamedTuple):
    """Where to connect to, and as whom."""

    host: str
    """A name or an address, without brackets."""
    port: int
    tls_name: str
    """The name, or address, that the certificate must be for."""
    host_header: str

    @property
    def netloc(self) -> str:
        """Host and port as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class HttpsPlace(NamedTuple):
    """An https:// URL taken apart: where to connect to, and path and query as they are sent."""

    target: HttpsTarget
    path: str

    @classmethod
    def of_url(cls, url: str, base: str | None = None) -> "HttpsPlace":
        """Read a URL, relative to `base` if there is one. Raises RequestFailed for what is none with https."""
        try:
            parsed = URL(url) if base is None else URL(base).join(URL(url))
            host, port = parsed.host, parsed.port
        except ValueError as error:
            raise RequestFailed("not a URL") from error
        if parsed.scheme != "https" or not host or not port or parsed.user or parsed.password:
            raise RequestFailed("not a URL that this server asks")
        bracketed = f"[{host}]" if ":" in host else host
        header = bracketed if port == HTTPS_PORT else f"{bracketed}:{port}"
        return cls(HttpsTarget(host, port, host, header), parsed.raw_path_qs)

    @property
    def url(self) -> str:
        """The URL again."""
        return f"https://{self.target.netloc}{self.path}"
