"""oEmbed: sites that say in JSON what a link of theirs shows (oembed.com)."""

import re
from typing import Literal

import msgspec
from yarl import URL

from myelin.services.previews.page_job import PageFacts

_PROVIDERS = (
    (r"https?://(?:www\.|m\.)?youtube\.com/(?:watch|shorts/|playlist|live/)", "https://www.youtube.com/oembed"),
    (r"https?://youtu\.be/", "https://www.youtube.com/oembed"),
    (r"https?://(?:www\.|mobile\.)?(?:twitter|x)\.com/[^/]+/status/", "https://publish.twitter.com/oembed"),
    (r"https?://(?:www\.|player\.)?vimeo\.com/", "https://vimeo.com/api/oembed.json"),
    (r"https?://open\.spotify\.com/", "https://open.spotify.com/oembed"),
    (r"https?://soundcloud\.com/", "https://soundcloud.com/oembed"),
    (r"https?://(?:www\.)?flickr\.com/photos/", "https://www.flickr.com/services/oembed/"),
    (r"https?://(?:www\.)?tiktok\.com/.*/video/", "https://www.tiktok.com/oembed"),
    (r"https?://(?:www\.|old\.)?reddit\.com/r/[^/]+/comments/", "https://www.reddit.com/oembed"),
)
"""Sites whose pages say little to a program, and where to ask instead."""
_COMPILED = tuple((re.compile(pattern), endpoint) for pattern, endpoint in _PROVIDERS)

MAX_TEXT = 1000


class OEmbed(msgspec.Struct, frozen=True):
    """An oEmbed answer, as far as previews use it."""

    type: Literal["photo", "video", "link", "rich"]
    title: str | None = None
    author_name: str | None = None
    provider_name: str | None = None
    thumbnail_url: str | None = None
    url: str | None = None
    html: str | None = None

    def facts(self, text: str) -> PageFacts:
        """The same as a page would say it; `text` is that of the `html`."""
        image = (self.url if self.type == "photo" else None) or self.thumbnail_url
        said = {
            "og:title": self.title or self.author_name,
            "og:site_name": self.provider_name,
            "og:image": image,
            "og:description": text if self.type == "rich" else None,
            "og:type": {"video": "video.other", "photo": "article", "rich": "article"}.get(self.type),
        }
        return PageFacts(properties={name: value[:MAX_TEXT] for name, value in said.items() if value})


def provider_address(url: str) -> str | None:
    """Where to ask for a URL's oEmbed, if its site is a known one."""
    for pattern, endpoint in _COMPILED:
        if pattern.match(url):
            return str(URL(endpoint).with_query({"url": url, "format": "json"}))
    return None


def read_oembed(body: bytes) -> OEmbed | None:
    """An oEmbed answer; None where it is none."""
    try:
        return msgspec.json.decode(body, type=OEmbed)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
