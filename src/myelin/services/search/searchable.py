"""What can be searched for in an event: its words, and a token for its room."""

import unicodedata
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from myelin.matrix.events.pdu import Pdu
from myelin.services.folding import MAX_WORD_LENGTH, fold, runs

MAX_WORDS = 2_000
"""Words of one event that are indexed."""

TYPE_BY_KEY = {"content.body": "m.room.message", "content.name": "m.room.name", "content.topic": "m.room.topic"}
"""The keys that can be searched (spec: "Server Side Search"), and the events that have them."""


def searchable_words(pdu: Pdu) -> str:
    """The event's words with a space between them; empty for one that is not searched."""
    if pdu.type == "m.room.message":
        text = pdu.content.get("body") if pdu.state_key is None else None
    elif pdu.state_key != "":
        return ""
    elif pdu.type == "m.room.name":
        text = pdu.content.get("name")
    elif pdu.type == "m.room.topic":
        text = _topic(pdu.content)
    else:
        return ""
    return " ".join(_first(split(text))) if isinstance(text, str) else ""


def room_token(room_id: str) -> str:
    """A word that stands for a room in the index; another room may, very rarely, have the same."""
    return "r" + blake2b(room_id.encode(), digest_size=6).hexdigest()


def split(text: str) -> Iterator[str]:
    """The folded words of a text. Writing without spaces between words gives each of its characters as one."""
    for run in runs(fold(text)):
        if run.isascii():
            yield run[:MAX_WORD_LENGTH]
        else:
            yield from pieces(run)


def pieces(run: str) -> Iterator[str]:
    """A stretch cut before and after each character of a writing that puts no spaces between words."""
    word = ""
    for character in run:
        if character >= "\u0e00" and unicodedata.category(character) == "Lo":
            if word:
                yield word[:MAX_WORD_LENGTH]
                word = ""
            yield character
        else:
            word += character
    if word:
        yield word[:MAX_WORD_LENGTH]


def _first(found: Iterator[str]) -> list[str]:
    return [word for word, _ in zip(found, range(MAX_WORDS), strict=False)]


def _topic(content: dict[str, Any]) -> str:
    """The topic, and its plain text in `m.topic`."""
    block = content.get("m.topic")
    listed = block.get("m.text") if isinstance(block, dict) else None
    representations = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    plain = [one.get("body") for one in representations if one.get("mimetype", "text/plain") == "text/plain"]
    texts = [content.get("topic"), *plain]
    return "\n".join(dict.fromkeys(text for text in texts if isinstance(text, str)))
