"""What push rules ask about an event, worked out once for all users of the room."""

import re
from collections.abc import Set
from typing import Any, Final

from myelin.matrix.events.pdu import Pdu
from myelin.matrix.globs import GlobSet, contains_words, is_word
from myelin.matrix.power_levels import PowerLevels
from myelin.matrix.property_paths import PropertyPath
from myelin.matrix.relations import Relation, relation_of

BODY: Final[PropertyPath] = ("content", "body")

_ATTRIBUTES: Final = frozenset({"type", "sender", "room_id", "state_key", "event_id", "redacts", "content"})
_WORD = re.compile(r"[A-Za-z0-9_]+")


class _Missing:
    """The event has no such property, as opposed to one that is null."""

    __slots__ = ()


MISSING: Final = _Missing()


class EventFacts:
    """An event as push rules see it; make one for each event and hand it to `evaluate` for each user.

    `member_count` counts the joined members of the room, `power_levels` are those of the room, at the event.
    """

    __slots__ = (
        "_body_words", "_contained", "_hits", "_power_levels", "_relation", "_strings",
        "_texts", "_values", "event", "member_count", "outcomes", "sender", "subscribers", "type",
    )  # fmt: skip

    def __init__(self, event: Pdu, *, member_count: int, power_levels: PowerLevels) -> None:
        self.event = event
        self.sender = event.sender
        self.type = event.type.lower()
        self.member_count = member_count
        self.outcomes: dict[object, Any] = {}
        """What `evaluate` found out for a compiled ruleset that depends on no user."""
        self.subscribers: Set[str] = frozenset()
        """Who is subscribed to the event's thread: to be set before rules are evaluated that ask."""
        self._power_levels = power_levels
        self._values: dict[PropertyPath, Any] = {}
        self._texts: dict[PropertyPath, str | None] = {}
        self._strings: dict[PropertyPath, frozenset[str]] = {}
        self._hits: dict[tuple[GlobSet, PropertyPath], int] = {}
        self._contained: dict[str, bool] = {}
        self._body_words: frozenset[str] | None = None
        self._relation: Relation | _Missing | None = MISSING

    def value(self, path: PropertyPath) -> Any:
        """The property at a path; MISSING where there is none."""
        try:
            return self._values[path]
        except KeyError:
            value = self._values[path] = self._walk(path)
            return value

    def text(self, path: PropertyPath) -> str | None:
        """The lower-cased string at a path; None where there is no string."""
        try:
            return self._texts[path]
        except KeyError:
            value = self.value(path)
            text = self._texts[path] = value.lower() if isinstance(value, str) else None
            return text

    def strings(self, path: PropertyPath) -> frozenset[str]:
        """The strings in the array at a path; none where there is no array."""
        try:
            return self._strings[path]
        except KeyError:
            value = self.value(path)
            items = value if isinstance(value, list) else ()
            strings = self._strings[path] = frozenset(item for item in items if isinstance(item, str))
            return strings

    @property
    def body_words(self) -> frozenset[str]:
        """The words of `content.body`, lower-cased."""
        if self._body_words is None:
            self._body_words = frozenset(_WORD.findall(self.text(BODY) or ""))
        return self._body_words

    def body_contains(self, words: str) -> bool:
        """Whether `content.body` contains a text between word boundaries, whatever the case."""
        words = words.lower()
        if is_word(words):
            return words in self.body_words
        contained = self._contained.get(words)
        if contained is None:
            contained = self._contained[words] = contains_words(self.text(BODY) or "", words)
        return contained

    def hits(self, globs: GlobSet, path: PropertyPath) -> int:
        """Which of the globs match the string at a path: `content.body` by words, any other entirely."""
        hits = self._hits.get((globs, path))
        if hits is None:
            text = self.text(path) or ""
            hits = globs.matches_words(text) if path == BODY else globs.matches(text)
            self._hits[globs, path] = hits
        return hits

    def sender_may_notify(self, key: str) -> bool:
        """Whether the sender has the power level for a notification such as `room`."""
        return self._power_levels.power_level_of(self.sender) >= self._power_levels.notification_level(key)

    @property
    def relation(self) -> Relation | None:
        """How the event relates to another one, for counting by thread."""
        if isinstance(self._relation, _Missing):
            self._relation = relation_of(self.event.content)
        return self._relation

    def _walk(self, path: PropertyPath) -> Any:
        head = path[0]
        node = getattr(self.event, head) if head in _ATTRIBUTES else self.event.raw.get(head, MISSING)
        if node is None and head in _ATTRIBUTES:
            return MISSING
        for name in path[1:]:
            if not isinstance(node, dict) or name not in node:
                return MISSING
            node = node[name]
        return node
