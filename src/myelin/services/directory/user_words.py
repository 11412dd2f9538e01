"""The words by which a user is found, and the ranges of words that a search asks for."""

import unicodedata
from typing import NamedTuple

from myelin.matrix.identifiers import localpart_of
from myelin.services.folding import words

MAX_WORDS_PER_USER = 64
MAX_SEARCHED_WORDS = 4
"""More words in a search are not looked at."""
MAX_SEARCH_TERM = 512
"""Characters of a search that are looked at."""

_END = b"\xff"
"""Greater than any byte of UTF-8."""


class WordRange(NamedTuple):
    """Words, as UTF-8, from `low` to before `high`."""

    low: bytes
    high: bytes


class Wanted(NamedTuple):
    """What a search asks for: a word in each range, and a user ID with this beginning."""

    ranges: list[WordRange]
    prefix: str


def words_of_user(user_id: str, display_name: str | None) -> list[bytes]:
    """The words of the localpart and the display name, without repetition."""
    found: dict[str, None] = {}
    for text in (localpart_of(user_id), display_name or ""):
        for word in words(text):
            found.setdefault(word)
            if not _has_spaces_between_words(word):
                found.update((word[i:], None) for i in range(1, len(word)))
    return [word.encode() for word in list(found)[:MAX_WORDS_PER_USER]]


def wanted(term: str) -> Wanted | None:
    """What a search term asks for; None where nothing can be found by it."""
    term = term[:MAX_SEARCH_TERM].strip().replace("\x00", "")
    localpart, _, server = term.removeprefix("@").partition(":")
    is_id = term.startswith("@") and bool(localpart)
    searched = sorted(set(words(localpart if is_id else term)), key=len, reverse=True)[:MAX_SEARCHED_WORDS]
    if not searched:
        return None
    ranges = [WordRange(word.encode(), word.encode() + _END) for word in searched]
    return Wanted(ranges, f"@{localpart}{':' if server else ''}{server}".lower() if is_id else "")


def _has_spaces_between_words(word: str) -> bool:
    """Whether the writing separates words; Chinese, Japanese and Thai do not, so any part may be searched for."""
    return not any(unicodedata.category(c) == "Lo" and c >= "\u0e00" for c in word)
