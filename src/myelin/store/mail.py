"""Mail that is still to be sent, and addresses that are being proven."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class QueuedMail(NamedTuple):
    """A mail; `arguments` are JSON."""

    mail_id: str
    recipient: str
    template: str
    arguments: str
    created_ts: int
    attempts: int


class Validation(NamedTuple):
    """An address that is being proven."""

    sid: str
    purpose: str
    address: str
    send_attempt: int
    next_link: str | None
    validated_ts: int | None


class Proven(NamedTuple):
    """An address that is proven."""

    address: str
    validated_ts: int


class MailStore(Store):
    """The queue, for whichever process sends next."""

    @query(
        "UPDATE mail_queue SET leased_until = :leased_until, attempts = attempts + 1 WHERE mail_id ="
        " (SELECT mail_id FROM mail_queue WHERE due_ts <= :now AND leased_until <= :now ORDER BY due_ts LIMIT 1)"
        " AND leased_until <= :now RETURNING mail_id, recipient, template, arguments, created_ts, attempts"
    )
    async def take(self, now: int, leased_until: int) -> QueuedMail | None:
        """The mail that is due first, which nobody else sends until then."""

    @query("UPDATE mail_queue SET due_ts = :due_ts, leased_until = 0 WHERE mail_id = :mail_id")
    async def put_off(self, mail_id: str, due_ts: int) -> int:
        """Try again later."""

    @query("DELETE FROM mail_queue WHERE mail_id = :mail_id")
    async def delete(self, mail_id: str) -> int:
        """It is sent, or never will be."""

    @query("SELECT COUNT(*) FROM mail_queue")
    async def waiting(self) -> int:
        """How many mails wait."""


@statement(
    "INSERT INTO mail_queue (mail_id, recipient, template, arguments, created_ts, due_ts)"
    " VALUES (:mail_id, :recipient, :template, :arguments, :now, :now)"
)
def put_mail(mail_id: str, recipient: str, template: str, arguments: str, now: int) -> Statement:
    """Have a mail sent."""


_COLUMNS = "sid, purpose, address, send_attempt, next_link, validated_ts"


class ValidationStore(Store):
    """Addresses that are being proven."""

    @query(
        f"SELECT {_COLUMNS} FROM mail_validations WHERE purpose = :purpose AND address = :address"
        " AND client_secret = :client_secret AND expires_ts > :now"
    )
    async def begun(self, purpose: str, address: str, client_secret: str, now: int) -> Validation | None:
        """What the same client asked before."""

    @query(f"SELECT {_COLUMNS} FROM mail_validations WHERE token_hash = :token_hash AND expires_ts > :now")
    async def of_token(self, token_hash: str, now: int) -> Validation | None:
        """What a link is for."""

    @query(
        f"SELECT {_COLUMNS} FROM mail_validations WHERE sid = :sid AND client_secret = :client_secret"
        " AND expires_ts > :now"
    )
    async def of_client(self, sid: str, client_secret: str, now: int) -> Validation | None:
        """What a client speaks of."""

    @query(
        "UPDATE mail_validations SET validated_ts = :now WHERE token_hash = :token_hash AND expires_ts > :now"
        " AND validated_ts IS NULL"
    )
    async def confirm(self, token_hash: str, now: int) -> int:
        """The link was followed; 0 where it is used up."""

    @query(
        "DELETE FROM mail_validations WHERE sid = :sid AND purpose = :purpose AND expires_ts > :now"
        " AND validated_ts IS NOT NULL RETURNING address, validated_ts"
    )
    async def take(self, sid: str, purpose: str, now: int) -> Proven | None:
        """Use a proof, once."""

    @query("DELETE FROM mail_validations WHERE expires_ts <= :now")
    async def delete_expired(self, now: int) -> int:
        """Forget what was never proven or never used."""


@statement(
    "INSERT INTO mail_validations"
    " (sid, purpose, client_secret, address, token_hash, send_attempt, next_link, expires_ts)"
    " VALUES (:sid, :purpose, :client_secret, :address, :token_hash, :send_attempt, :next_link, :expires_ts)"
    " ON CONFLICT (purpose, address, client_secret) DO UPDATE SET sid = excluded.sid,"
    " token_hash = excluded.token_hash, send_attempt = excluded.send_attempt, next_link = excluded.next_link,"
    " validated_ts = NULL, expires_ts = excluded.expires_ts"
)
def put_validation(
    sid: str,
    purpose: str,
    client_secret: str,
    address: str,
    token_hash: str,
    send_attempt: int,
    next_link: str | None,
    expires_ts: int,
) -> Statement:
    """Begin to prove an address, or begin again: links sent before are void."""
