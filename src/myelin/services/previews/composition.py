"""From what a page says to the answer's JSON (spec: "GET /_matrix/client/v1/media/preview_url")."""

from typing import Any, NamedTuple

from yarl import URL

from myelin.services.previews.page_job import ImageFacts, PageFacts

_TWITTER = (("og:title", "twitter:title"), ("og:description", "twitter:description"))


class KeptImage(NamedTuple):
    """An image that is media of this server now."""

    content_uri: str
    size: int
    facts: ImageFacts


def image_addresses(facts: PageFacts, page_url: str) -> list[str]:
    """Where the page's picture may be, the best first, as full URLs."""
    said = [facts.properties.get(name, "") for name in ("og:image:secure_url", "og:image", "twitter:image")]
    base = absolute(facts.base, page_url) or page_url
    found = [absolute(address, base) for address in (*said, *facts.images) if address]
    return list(dict.fromkeys(address for address in found if address))


def absolute(address: str, base: str) -> str:
    """A full http(s) URL; empty where there is none."""
    try:
        url = URL(base).join(URL(address)) if address else URL()
    except ValueError:
        return ""
    return str(url) if url.scheme in ("http", "https") and url.raw_host else ""


def described(facts: PageFacts, page_url: str) -> dict[str, Any]:
    """The properties but for the image."""
    said = facts.properties
    answer: dict[str, Any] = {
        name: value for name, value in said.items() if not name.startswith(("twitter:", "og:image"))
    }
    for name, twin in _TWITTER:
        if name not in answer and said.get(twin):
            answer[name] = said[twin]
    if facts.title:
        answer.setdefault("og:title", facts.title)
    if facts.description or facts.text:
        answer.setdefault("og:description", facts.description or facts.text)
    if "og:url" in answer:
        answer["og:url"] = absolute(answer["og:url"], page_url) or page_url
    if said.get("og:image:alt"):
        answer["og:image:alt"] = said["og:image:alt"]
    return answer


def with_image(answer: dict[str, Any], image: KeptImage | None) -> dict[str, Any]:
    """The answer with the image, or without any word of one."""
    if image is None:
        return {name: value for name, value in answer.items() if not name.startswith("og:image")}
    return {
        **answer,
        "og:image": image.content_uri,
        "og:image:type": image.facts.content_type,
        "og:image:width": image.facts.width,
        "og:image:height": image.facts.height,
        "matrix:image:size": image.size,
    }


def merged(first: PageFacts, second: PageFacts) -> PageFacts:
    """`first`, with what it does not say from `second`."""
    return PageFacts(
        properties={**second.properties, **first.properties},
        title=first.title or second.title,
        description=first.description or second.description,
        text=first.text or second.text,
        images=first.images or second.images,
        base=second.base,
    )
