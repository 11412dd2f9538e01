"""The receipts of one room in memory, ready for `/sync` and for the counting of notifications."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import orjson

READ = "m.read"
READ_PRIVATE = "m.read.private"
UNTHREADED = ""

_Key = tuple[str, str, str]
"""`(user_id, receipt_type, thread_id)`."""
_NOWHERE: dict[str, int] = {}


class Receipt(NamedTuple):
    """How far a user has read."""

    position: int
    """When the receipt moved."""
    user_id: str
    receipt_type: str
    thread_id: str
    event_id: str
    event_position: int
    ts: int


class RoomReceipts:
    """Receipts by user, type and thread, in the order in which they moved."""

    __slots__ = ("_all", "_by_change", "_private", "_read_up_to", "latest")

    def __init__(self, receipts: Iterable[Receipt]) -> None:
        self.latest = 0
        """The position of the newest change."""
        self._by_change: dict[_Key, Receipt] = {}
        self._private: dict[str, int] = {}
        self._read_up_to: dict[str, dict[str, int]] = {}
        self._all: list[bytes] | None = None
        for receipt in receipts:
            self.apply(receipt)

    def apply(self, receipt: Receipt) -> None:
        """A receipt moved; one that is further on stays."""
        key = receipt[1:4]
        known = self._by_change.get(key)
        if known is not None and known.event_position >= receipt.event_position:
            return
        self._by_change.pop(key, None)
        self._by_change[key] = receipt
        self.latest = max(self.latest, receipt.position)
        if receipt.receipt_type == READ_PRIVATE and known is None:
            self._private[receipt.user_id] = self._private.get(receipt.user_id, 0) + 1
        threads = self._read_up_to.setdefault(receipt.user_id, {})
        threads[receipt.thread_id] = max(threads.get(receipt.thread_id, receipt.event_position), receipt.event_position)
        self._all = None

    def get(self, user_id: str, receipt_type: str, thread_id: str) -> Receipt | None:
        """One receipt."""
        return self._by_change.get((user_id, receipt_type, thread_id))

    def read_up_to(self, user_id: str) -> Mapping[str, int]:
        """For each thread ID, `main` and `UNTHREADED` the position of the last event that the user has read."""
        return self._read_up_to.get(user_id, _NOWHERE)

    def moved_at(self, user_id: str) -> int:
        """The position at which a receipt of the user moved last; 0: there is none."""
        return next((r.position for r in reversed(self._by_change.values()) if r.user_id == user_id), 0)

    def events(self, reader: str, since: int, to: int) -> Sequence[bytes]:
        """`m.receipt` events with what moved after `since`, up to and including `to`; a `since` of 0 gives all."""
        if self.latest <= since:
            return ()
        if since > 0 or self.latest > to or reader in self._private:
            return _render(self._visible(reader, since, to))
        if self._all is None:
            self._all = _render(self._visible("", 0, to))
        return self._all

    def on_events(self, reader: str, event_ids: Set[str], to: int) -> Sequence[bytes]:
        """`m.receipt` events with the receipts on some events, and all of the reader's own."""
        wanted = (r for r in self._visible(reader, 0, to) if r.event_id in event_ids or r.user_id == reader)
        return _render(wanted)

    def _visible(self, reader: str, since: int, to: int) -> Iterable[Receipt]:
        """Newest first; private receipts only for their owner."""
        for receipt in reversed(self._by_change.values()):
            if receipt.position <= since:
                return
            if receipt.position <= to and (receipt.receipt_type != READ_PRIVATE or receipt.user_id == reader):
                yield receipt


def _render(receipts: Iterable[Receipt]) -> list[bytes]:
    """As few events as it takes for a user's receipts of several threads on one event not to hide each other."""
    contents: list[dict[str, dict[str, dict[str, Any]]]] = []
    for receipt in receipts:
        value = {"ts": receipt.ts, "thread_id": receipt.thread_id} if receipt.thread_id else {"ts": receipt.ts}
        for content in contents:
            users = content.setdefault(receipt.event_id, {}).setdefault(receipt.receipt_type, {})
            if receipt.user_id not in users:
                users[receipt.user_id] = value
                break
        else:
            contents.append({receipt.event_id: {receipt.receipt_type: {receipt.user_id: value}}})
    return [b'{"type":"m.receipt","content":' + orjson.dumps(content) + b"}" for content in contents]
