"""Cross-signing keys, and signatures made about keys."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class CrossSigningRow(NamedTuple):
    """A user's key for one usage."""

    user_id: str
    usage: str
    public_key: str
    json: bytes


class SignatureRow(NamedTuple):
    """A signature on a key: `target_id` is a device ID or a public key."""

    target_user_id: str
    target_id: str
    signer_user_id: str
    signer_key_id: str
    signature: str


class CrossSigningStore(Store):
    """Reads cross-signing keys and signatures."""

    @query("SELECT user_id, usage, public_key, json FROM cross_signing_keys WHERE user_id IN :user_ids")
    async def keys(self, user_ids: list[str]) -> list[CrossSigningRow]:
        """All cross-signing keys of some users."""

    @query(
        "SELECT target_user_id, target_id, signer_user_id, signer_key_id, signature FROM key_signatures"
        " WHERE target_user_id IN :user_ids AND (signer_user_id = target_user_id OR signer_user_id = :reader)"
    )
    async def signatures(self, user_ids: list[str], reader: str) -> list[SignatureRow]:
        """Signatures on the keys of some users: those they made themselves, and those that the reader made."""


@statement(
    "INSERT INTO cross_signing_keys (user_id, usage, public_key, json) VALUES (:user_id, :usage, :public_key, :json)"
    " ON CONFLICT (user_id, usage) DO UPDATE SET public_key = excluded.public_key, json = excluded.json"
)
def put_cross_signing_key(user_id: str, usage: str, public_key: str, json: bytes) -> Statement:
    """Publish a key."""


@statement(
    "INSERT INTO key_signatures (target_user_id, target_id, signer_user_id, signer_key_id, signature)"
    " VALUES (:target_user_id, :target_id, :signer_user_id, :signer_key_id, :signature)"
    " ON CONFLICT (target_user_id, target_id, signer_user_id, signer_key_id)"
    " DO UPDATE SET signature = excluded.signature"
)
def put_signature(
    target_user_id: str, target_id: str, signer_user_id: str, signer_key_id: str, signature: str
) -> Statement:
    """Keep a signature."""


@statement("DELETE FROM key_signatures WHERE target_user_id = :target_user_id AND target_id = :target_id")
def delete_signatures_on(target_user_id: str, target_id: str) -> Statement:
    """Forget the signatures on a key that changed or is gone."""
