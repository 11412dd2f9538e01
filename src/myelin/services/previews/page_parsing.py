"""What an HTML page says of itself; runs in the page worker only."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from myelin.services.previews.page_job import PageFacts, ReadPage
from myelin.services.previews.page_text import page_text

MAX_PROPERTIES = 40
MAX_TEXT = 1000
"""Characters of a title or a text."""
MAX_ADDRESS = 2000
MAX_IMAGES = 3
MAX_ALL = 12_000
"""Characters of all properties together, so that an outcome fits a line."""
MIN_IMAGE_SIZE = 64
"""Pictures that are declared smaller are ornaments."""
MAX_PARAGRAPHS = 200

_PROPERTY = re.compile(r"(og|twitter|article):[a-z0-9_:]{1,40}")
_WHITE = re.compile(r"\s+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""Also the marks that turn the direction of text: a title must not rewrite what stands around it."""


def read_page(job: ReadPage) -> PageFacts:
    """The page's facts, as far as there are any."""
    tree = LexborHTMLParser(page_text(job.body, job.charset))
    properties, named = _meta(tree)
    title = tree.css_first("title")
    base, oembed = tree.css_first("base[href]"), tree.css_first('link[type="application/json+oembed"][href]')
    return PageFacts(
        properties=properties,
        title=_clean(title.text() if title is not None else "", MAX_TEXT),
        description=named.get("description", ""),
        images=_images(tree),  # before the text is looked for, which strips the tree
        text=_text(tree),
        base=_attribute(base, "href"),
        oembed=_attribute(oembed, "href"),
    )


def _meta(tree: LexborHTMLParser) -> tuple[dict[str, str], dict[str, str]]:
    properties: dict[str, str] = {}
    named: dict[str, str] = {}
    room = MAX_ALL
    for node in tree.css("meta[content]"):
        name = (node.attributes.get("property") or node.attributes.get("name") or "").strip().lower()
        value = _clean(node.attributes.get("content") or "", MAX_TEXT)
        if not value or len(value) > room:
            continue
        if name == "description" and name not in named:
            named[name] = value
            room -= len(value)
        elif _PROPERTY.fullmatch(name) and name not in properties and len(properties) < MAX_PROPERTIES:
            properties[name] = value
            room -= len(value)
    return properties, named


def _images(tree: LexborHTMLParser) -> tuple[str, ...]:
    found = [_attribute(node, "href") for node in tree.css('link[rel="image_src"][href]')]
    found += [_attribute(node, "content") for node in tree.css('meta[itemprop="image"][content]')]
    for node in tree.css("main img[src], article img[src]") or tree.css("body img[src]"):
        if len(found) >= MAX_IMAGES:
            break
        if _is_large(node):
            found.append(_attribute(node, "src"))
    if not found:
        found = [_attribute(node, "href") for node in tree.css('link[rel~="icon"][href]')]
    return tuple(address for address in found if address and not address.lower().startswith("data:"))[:MAX_IMAGES]


def _is_large(node: LexborNode) -> bool:
    sizes = [node.attributes.get(side) or "" for side in ("width", "height")]
    return all(int(size[:6]) >= MIN_IMAGE_SIZE for size in sizes if size.isascii() and size.isdigit())


def _text(tree: LexborHTMLParser) -> str:
    tree.strip_tags(["script", "style", "noscript", "nav", "header", "footer", "aside", "form", "template", "svg"])
    gathered: list[str] = []
    length = 0
    for node in (tree.css("main p, article p") or tree.css("body p, body blockquote"))[:MAX_PARAGRAPHS]:
        paragraph = _clean(node.text(separator=" "), MAX_TEXT)
        if paragraph:
            gathered.append(paragraph)
            length += len(paragraph)
        if length >= MAX_TEXT:
            break
    if not gathered and tree.body is not None:
        gathered = [_clean(tree.body.text(separator=" "), MAX_TEXT)]
    return _shortened("\n".join(gathered), MAX_TEXT)


def _attribute(node: LexborNode | None, name: str) -> str:
    value = (node.attributes.get(name) or "").strip() if node is not None else ""
    return "" if len(value) > MAX_ADDRESS else _CONTROL.sub("", value)


def _clean(text: str, most: int) -> str:
    """One line without what cannot be shown, cut off at a word."""
    return _shortened(_CONTROL.sub("", _WHITE.sub(" ", text[: most * 20])).strip(), most)


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return text[: most - 1].rsplit(" ", 1)[0] + "…"
