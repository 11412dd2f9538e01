"""One transaction to one server (spec: server-server API, "Transactions")."""

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from myelin.db.sql import Statement
from myelin.services.federation.sending.outgoing_event import OutgoingEvent
from myelin.store.destinations import QueuedEdu

MAX_PDUS = 50
MAX_EDUS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
"""No more is put into a transaction beyond this; a single PDU or EDU has at most 64 KiB."""


class Transaction(NamedTuple):
    """What is sent, and what it means when it is taken."""

    transaction_id: str
    pdus: Sequence[OutgoingEvent]
    edus: Sequence[QueuedEdu]
    """Those that outlive the process."""
    fleeting: Sequence[bytes] = ()
    """EDUs that are worth nothing later."""
    until: int = 0
    """When it is taken the server has all events up to this position; 0: that is not known by this one."""
    ends: Sequence[Statement] = ()
    """What else is written then."""

    @property
    def is_durable(self) -> bool:
        """Whether it is repeated until it is taken, also by another process."""
        return bool(self.pdus or self.edus)

    @property
    def items(self) -> int:
        """How many PDUs and EDUs it holds."""
        return len(self.pdus) + len(self.edus) + len(self.fleeting)

    def contents(self) -> str:
        """What it holds, to be put together again after a crash."""
        return orjson.dumps(
            {
                "pdus": [pdu.event_id for pdu in self.pdus],
                "edus": [(edu.position, edu.number) for edu in self.edus],
                "until": self.until,
            }
        ).decode()

    def body(self, origin: str, origin_server_ts: int) -> bytes:
        """The request's body as canonical JSON, spliced from what is that already."""
        edus = b",".join([*(edu.json for edu in self.edus), *self.fleeting])
        pdus = b",".join([pdu.json for pdu in self.pdus])
        return b'{"edus":[%b],"origin":"%b","origin_server_ts":%d,"pdus":[%b]}' % (
            edus,
            origin.encode(),
            origin_server_ts,
            pdus,
        )
