"""Text as it is compared in searches: without regard to letter case, accents or the ways Unicode spells the same."""

import re
import unicodedata
from collections.abc import Iterator

MAX_WORD_LENGTH = 64
"""Longer runs of letters are cut: they are not words that anybody types."""

_ASCII_RUN = re.compile(r"[A-Za-z0-9]+")
_ACCENTS = 10
"""Combining classes from here on are accents, points and tone marks; below are signs that make up Indic letters."""
_UNMARKED = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})
"""Letters that Unicode does not count as an accented form of another, but people search for as such."""


def fold(text: str) -> str:
    """The text in the form in which two are compared."""
    if text.isascii():
        return text.lower()
    split = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in split if unicodedata.combining(c) < _ACCENTS)
    return unicodedata.normalize("NFKC", bare.casefold().translate(_UNMARKED))


def words(text: str) -> Iterator[str]:
    """The folded words of a text, in order."""
    for run in runs(fold(text)):
        yield run[:MAX_WORD_LENGTH]


def runs(folded: str) -> Iterator[str]:
    """The stretches of letters, digits and marks."""
    if folded.isascii():
        yield from _ASCII_RUN.findall(folded)
        return
    start: int | None = None
    for index, character in enumerate(folded):
        if character.isalnum() or unicodedata.category(character)[0] == "M":
            start = index if start is None else start
        elif start is not None:
            yield folded[start:index]
            start = None
    if start is not None:
        yield folded[start:]
