"""Glob patterns (spec: appendices, "Glob-style matching"), many at once, in a time that no pattern can blow up.

All patterns of a set run side by side as one bit vector: each character of the text costs four operations on integers,
whatever the patterns are. There is no backtracking, so `*a*a*a*b` costs what `abc*` costs.
"""

from collections.abc import Iterable
from typing import Final

WORD_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
"""What a word is made of; anything else is a word boundary (spec: push rules, `event_match`)."""


class GlobSet:
    """Says which of its patterns match a text; results are bit sets over `accepting`.

    `accepting[n]` is the bit that stands for the n-th pattern. Matching is case-sensitive: lower both sides first.
    With `any_char=None` only `*` is a wildcard, as in filters.
    """

    __slots__ = ("_any", "_finals", "_loops", "_masks", "_starts", "accepting")

    def __init__(self, patterns: Iterable[str], *, any_char: str | None = "?") -> None:
        starts: list[int] = []
        finals: list[int] = []
        loops: list[int] = []
        anything: list[int] = []
        places: dict[str, list[int]] = {}
        position = 0
        for pattern in patterns:
            starts.append(position)
            for char in pattern:
                if char == "*":
                    loops.append(position)
                    continue
                (anything if char == any_char else places.setdefault(char, [])).append(position)
                position += 1
            finals.append(position)
            position += 1
        self._starts = _bits(starts)
        self._finals = _bits(finals)
        self._loops = _bits(loops)
        self._any = _bits(anything)
        self._masks = {char: _bits(positions) | self._any for char, positions in places.items()}
        self.accepting = tuple(1 << final for final in finals)

    def matches(self, text: str) -> int:
        """The patterns that match the entire text."""
        masks, anything, loops = self._masks, self._any, self._loops
        state = self._starts
        for char in text:
            state = (state & masks.get(char, anything)) << 1 | state & loops
            if not state:
                return 0
        return state & self._finals

    def matches_words(self, text: str) -> int:
        """The patterns that match a part of the text which starts and ends at a word boundary."""
        masks, anything, loops, starts, finals = self._masks, self._any, self._loops, self._starts, self._finals
        found = state = 0
        in_word = False
        for char in text:
            is_word = char in WORD_CHARACTERS
            if not (in_word and is_word):
                state |= starts
                found |= state & finals
            in_word = is_word
            state = (state & masks.get(char, anything)) << 1 | state & loops
        return found | (state | starts) & finals


def has_wildcard(pattern: str) -> bool:
    """Whether the pattern matches anything but itself."""
    return "*" in pattern or "?" in pattern


def is_word(pattern: str) -> bool:
    """Whether the pattern is a single word, which a text contains or not as a whole."""
    return pattern != "" and WORD_CHARACTERS.issuperset(pattern)


def longest_literal(pattern: str) -> str:
    """The longest run without wildcards: a text that lacks it cannot match, and `in` finds that out fastest."""
    return max(pattern.replace("?", "*").split("*"), key=len)


def contains_words(text: str, words: str) -> bool:
    """Whether `words`, taken literally, stand in the text between word boundaries."""
    at = text.find(words)
    while at >= 0:
        if is_word_boundary(text, at) and is_word_boundary(text, at + len(words)):
            return True
        at = text.find(words, at + 1)
    return False


def is_word_boundary(text: str, at: int) -> bool:
    """Whether the position before `text[at]` is the start or end of the text or touches a non-word character."""
    return at == 0 or at == len(text) or text[at - 1] not in WORD_CHARACTERS or text[at] not in WORD_CHARACTERS


def _bits(positions: list[int]) -> int:
    if not positions:
        return 0
    packed = bytearray((positions[-1] >> 3) + 1)
    for position in positions:
        packed[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(packed, "little")
