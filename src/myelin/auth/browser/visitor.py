"""Who looks at a page: a browser, and the user who is signed in to it."""

from hashlib import blake2b
from hmac import compare_digest

import msgspec

_CSRF = b"myelin csrf"


class Visitor(msgspec.Struct, frozen=True):
    """A browser with its cookie's secret; `user_id` is None where nobody is signed in."""

    secret: str
    language: str
    user_id: str | None = None
    methods: str = ""
    """How the user has proved to be one, as in RFC 8176, separated by spaces."""
    authenticated_ts: int = 0

    @property
    def form_token(self) -> str:
        """What every form carries: a page of another site cannot know it, nor make it of what it knows."""
        return blake2b(_CSRF, key=self.secret.encode()[:64], digest_size=24).hexdigest()

    def knows(self, form_token: str) -> bool:
        """Whether a form came from a page that this browser was shown."""
        return form_token.isascii() and compare_digest(form_token, self.form_token)
