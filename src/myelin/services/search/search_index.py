"""Keeps the full-text index current, in the transactions that write the events."""

from myelin.db.sql import Statement
from myelin.matrix.events.pdu import Pdu
from myelin.services.search.searchable import room_token, searchable_words
from myelin.store.search import add_words, forget_waiting, index_waiting, remove_waiting, remove_words

INDEXED_AT_ONCE = 256
"""Rows that may wait before they are put into the index together."""


class SearchIndex:
    """An EventIndex of words."""

    def __init__(self) -> None:
        self._added = 0

    def statements(self, pdu: Pdu, position: int) -> list[Statement]:
        """What to write for a new event."""
        words = searchable_words(pdu)
        if not words:
            return []
        add = add_words(position, words, room_token(pdu.room_id))
        self._added += 1
        if self._added % INDEXED_AT_ONCE:
            return [add]
        return [add, index_waiting(), forget_waiting()]

    def redacted(self, pdu: Pdu, position: int) -> list[Statement]:
        """What to write when an event is redacted: nobody finds it by what it said."""
        words = searchable_words(pdu)
        if not words:
            return []
        return [remove_waiting(position), remove_words(position, words, room_token(pdu.room_id))]

    def became_state(self, pdu: Pdu) -> list[Statement]:  # noqa: ARG002  (an EventIndex)
        """What to write when an event becomes current state without being new in the timeline: it cannot be shown."""
        return []
