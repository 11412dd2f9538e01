"""The text of an HTML page, whatever it is encoded in (HTML Living Standard, "Determining the character encoding")."""

import re

import webencodings

PRESCANNED_BYTES = 4096
_META = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_XML = re.compile(rb"""^\s*<\?xml[^>]+encoding\s*=\s*["']([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))


def page_text(body: bytes, charset: str) -> str:
    """The text; bytes that make no sense become U+FFFD."""
    for mark, label in _MARKS:
        if body.startswith(mark):
            return _decoded(body[len(mark) :], label)
    if charset and webencodings.lookup(charset) is not None:
        return _decoded(body, charset)
    return _decoded(body, _declared(body[:PRESCANNED_BYTES]) or _guessed(body))


def _declared(head: bytes) -> str:
    for pattern in (_META, _XML):
        found = pattern.search(head)
        if found is not None and webencodings.lookup(label := found[1].decode()) is not None:
            return "utf-8" if label.lower().startswith("utf-16") else label  # the declaration itself was readable
    return ""


def _guessed(body: bytes) -> str:
    """UTF-8 if it is, but for a last character that may be cut in two; else what old pages mostly are."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return "utf-8" if error.start >= len(body) - 3 else "windows-1252"
    return "utf-8"


def _decoded(body: bytes, label: str) -> str:
    return str(webencodings.decode(body, webencodings.lookup(label), "replace")[0])
