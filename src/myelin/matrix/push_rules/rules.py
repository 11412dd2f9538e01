"""What a push rule is, and the kinds in the order in which they are tried (spec: push rules; MSC4306)."""

from typing import Any, Final, Literal

import msgspec

Kind = Literal["override", "content", "postcontent", "room", "sender", "underride"]
"""The kind of a push rule."""
KINDS: Final[tuple[Kind, ...]] = ("override", "content", "postcontent", "room", "sender", "underride")
CONDITIONAL_KINDS: Final = frozenset({"override", "postcontent", "underride"})
"""The kinds whose rules carry conditions."""
PREDEFINED_ONLY: Final = frozenset({"postcontent"})
"""The kinds to which users add no rules of their own."""
THREAD_SUBSCRIPTION: Final = "io.element.msc4306.thread_subscription"
"""The condition that asks whether the user is subscribed to the event's thread."""
MASTER: Final = ".m.rule.master"
"""The predefined rule that stands above all others, the user's own included."""


class _Owner:
    """Stands in the predefined rules where the spec writes "[the user's Matrix ID]"."""

    __slots__ = ()


OWNER: Final = _Owner()


class PushRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule without what its place says: its kind, and whether it is one of the predefined ones.

    `actions` and `conditions` are as the client gave them. `conditions` is None except for `override` and `underride`
    rules, `pattern` except for `content` rules.
    """

    rule_id: str
    actions: list[Any]
    conditions: list[dict[str, Any]] | None = None
    pattern: str | None = None
    enabled: bool = True

    @property
    def is_default(self) -> bool:
        """Whether the rule is one of the server's predefined ones."""
        return self.rule_id.startswith(".")
