"""What a user typed, as the engines' query languages say it."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from myelin.services.folding import fold, runs
from myelin.services.search.searchable import room_token, split

MAX_TERM_LENGTH = 1_024
"""Characters of a search term that are looked at."""
MAX_PHRASES = 16
MAX_ROOMS_IN_QUERY = 50
"""For more rooms the index is asked about all rooms, and the others' matches are dropped."""

_QUOTED = re.compile(r'"([^"]*)"|(\S+)')


class Phrase(NamedTuple):
    """Words in a row. Of an open one the last word may go on."""

    words: tuple[str, ...]
    is_open: bool


class SearchTerm(NamedTuple):
    """What an event must have: all of the phrases."""

    phrases: tuple[Phrase, ...]

    def fts5(self, room_ids: Sequence[str]) -> str:
        """As SQLite's FTS5 reads it."""
        wanted = " AND ".join(f'"{" ".join(p.words)}"{" *" if p.is_open else ""}' for p in self.phrases)
        if len(room_ids) > MAX_ROOMS_IN_QUERY:
            return f"words : ({wanted})"
        rooms = " OR ".join(f'"{room_token(room_id)}"' for room_id in room_ids)
        return f"words : ({wanted}) AND room : ({rooms})"

    def tsquery(self, room_ids: Sequence[str] | None = None) -> str:
        """As PostgreSQL reads it; without rooms only what counts for the rank."""
        wanted = " & ".join(_tsquery_phrase(p) for p in self.phrases)
        if room_ids is None or len(room_ids) > MAX_ROOMS_IN_QUERY:
            return wanted
        return f"{wanted} & ({' | '.join(_quoted(room_token(room_id)) for room_id in room_ids)})"

    def highlights(self, texts: Iterable[str]) -> list[str]:
        """The words of these texts that match, as they are written there."""
        found: dict[str, None] = {}
        for text in texts:
            for written in runs(text):
                folded = " ".join(split(written))
                for phrase in self.phrases:
                    if _matches(phrase, folded):
                        found.setdefault(written.lower())
        return list(found)


def parse_search_term(text: str) -> SearchTerm | None:
    """The phrases of a term: words, and what stands in double quotes; None where there are none.

    A word also finds those that begin with it: the index knows no language, so that is how it finds inflected forms.
    """
    phrases: dict[Phrase, None] = {}
    for quoted, bare in _QUOTED.findall(text[:MAX_TERM_LENGTH]):
        if quoted:
            words = tuple(split(quoted))
            if words:
                phrases.setdefault(Phrase(words, is_open=False))
        else:
            for run in runs(fold(bare)):
                words = tuple(split(run))
                if words:
                    phrases.setdefault(Phrase(words, is_open=True))
    return SearchTerm(tuple(phrases)[:MAX_PHRASES]) if phrases else None


def _tsquery_phrase(phrase: Phrase) -> str:
    *words, last = phrase.words
    return "(" + " <-> ".join([*map(_quoted, words), _quoted(last) + (":*" if phrase.is_open else "")]) + ")"


def _quoted(word: str) -> str:
    """A lexeme; words are letters, digits and marks, so there is nothing in them to escape."""
    return f"'{word}'"


def _matches(phrase: Phrase, folded: str) -> bool:
    for word in phrase.words:
        if folded == word or (phrase.is_open and folded.startswith(word)):
            return True
    return " ".join(phrase.words) in folded if len(phrase.words) > 1 else False
