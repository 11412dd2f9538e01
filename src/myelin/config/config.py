"""The whole configuration as one immutable value."""

from pathlib import Path

from myelin.config.sections.accounts import Passwords, Registration, Sessions
from myelin.config.sections.appservices import Appservices
from myelin.config.sections.auth import Auth, Branding
from myelin.config.sections.calls import Rtc, Voip
from myelin.config.sections.federation import Federation
from myelin.config.sections.identity import Captcha, Identity
from myelin.config.sections.mail import Mail
from myelin.config.sections.messaging import Notices, Presence, Push, Rooms, UserDirectory
from myelin.config.sections.previews import UrlPreviews
from myelin.config.sections.rate_limits import RateLimits
from myelin.config.sections.section import Section
from myelin.config.sections.serving import Limits, Logging, Metrics, Server
from myelin.config.sections.sso import Cas, Sso
from myelin.config.sections.storage import Database, Media, Redis, Sync

# Where things are kept if there is neither a config file nor a word about it.
DEFAULT_DATA_DIRECTORY = "data"


class Config(Section, frozen=True, kw_only=True):
    """Everything that `myelin.toml` says; `Config()` is all defaults."""

    server: Server = Server()
    database: Database = Database()
    redis: Redis = Redis()
    registration: Registration = Registration()
    captcha: Captcha = Captcha()
    passwords: Passwords = Passwords()
    sessions: Sessions = Sessions()
    auth: Auth = Auth()
    branding: Branding = Branding()
    rate_limits: RateLimits = RateLimits()
    rooms: Rooms = Rooms()
    notices: Notices = Notices()
    media: Media = Media()
    url_previews: UrlPreviews = UrlPreviews()
    presence: Presence = Presence()
    user_directory: UserDirectory = UserDirectory()
    push: Push = Push()
    mail: Mail = Mail()
    identity: Identity = Identity()
    sso: Sso = Sso()
    cas: Cas = Cas()
    appservices: Appservices = Appservices()
    sync: Sync = Sync()
    voip: Voip = Voip()
    rtc: Rtc = Rtc()
    federation: Federation = Federation()
    logging: Logging = Logging()
    metrics: Metrics = Metrics()
    limits: Limits = Limits()

    @property
    def data_directory(self) -> Path:
        """The folder that holds what has no place of its own."""
        return Path(self.server.data_directory or DEFAULT_DATA_DIRECTORY)

    @property
    def signing_key_path(self) -> Path:
        """The file with the server's Ed25519 key."""
        return self.data_directory / "signing.key"

    @property
    def media_path(self) -> Path:
        """The folder of uploaded files."""
        return Path(self.media.storage_path) if self.media.storage_path else self.data_directory / "media"

    @property
    def database_url(self) -> str:
        """The database's address, never empty: SQLite in the data directory if nothing else is said."""
        return self.database.url or f"sqlite:///{self.data_directory / 'myelin.db'}"

    @property
    def public_url(self) -> str:
        """Where clients reach this server, without a slash at the end."""
        if self.server.public_url:
            return self.server.public_url.rstrip("/")
        if self.server.name.partition(":")[0] == "localhost":
            return f"http://localhost:{self.server.listen[0].rpartition(':')[2]}"
        return f"https://{self.server.name}"

    @property
    def auth_url(self) -> str:
        """Where browsers reach the sign-in service, without a slash at the end."""
        return self.auth.url.rstrip("/") or self.public_url
