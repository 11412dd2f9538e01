"""Text as it is compared in searches: without regard to letter case, accents or the ways Unicode spells the same."""

import re
import unicodedata
from collections.abc import Iterator

MAX_WORD_LENGTH = 64
"""Longer runs of letters are cut: they are not words that anybody types."""

_WORD = re.compile(r"[^\W_]+")
_UNMARKED = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})
"""Letters that Unicode does not count as an accented form of another, but people search for as such."""


def fold(text: str) -> str:
    """The text in the form in which two are compared."""
    if text.isascii():
        return text.lower()
    split = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in split if not unicodedata.combining(c))
    return unicodedata.normalize("NFKC", bare.casefold().translate(_UNMARKED))


def words(text: str) -> Iterator[str]:
    """The folded words of a text, in order."""
    for match in _WORD.finditer(fold(text)):
        yield match[0][:MAX_WORD_LENGTH]
