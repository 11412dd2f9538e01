"""Addresses that were published on identity servers, and phone numbers that are being proven there."""

from typing import NamedTuple

from myelin.db.query import Store, query
from myelin.store.mail import Proven


class Binding(NamedTuple):
    """An address, and where it was published."""

    medium: str
    address: str
    id_server: str


class IdentityBindingStore(Store):
    """What was published through this server."""

    @query(
        "INSERT INTO identity_bindings (user_id, medium, address, id_server, bound_ts)"
        " VALUES (:user_id, :medium, :address, :id_server, :now)"
        " ON CONFLICT (user_id, medium, address, id_server) DO UPDATE SET bound_ts = excluded.bound_ts"
    )
    async def add(self, user_id: str, medium: str, address: str, id_server: str, now: int) -> None:
        """Remember that it was published."""

    @query(
        "SELECT id_server FROM identity_bindings WHERE user_id = :user_id AND medium = :medium AND address = :address"
        " ORDER BY id_server"
    )
    async def servers(self, user_id: str, medium: str, address: str) -> list[str]:
        """Where a user's address was published."""

    @query(
        "SELECT medium, address, id_server FROM identity_bindings WHERE user_id = :user_id"
        " ORDER BY medium, address, id_server"
    )
    async def of_user(self, user_id: str) -> list[Binding]:
        """All that a user has published."""

    @query(
        "DELETE FROM identity_bindings WHERE user_id = :user_id AND medium = :medium AND address = :address"
        " AND id_server = :id_server"
    )
    async def delete(self, user_id: str, medium: str, address: str, id_server: str) -> None:
        """It was taken back."""

    @query("DELETE FROM identity_bindings WHERE user_id = :user_id")
    async def delete_all(self, user_id: str) -> None:
        """Forget all that a user has published."""


class PhoneValidation(NamedTuple):
    """A phone number that is being proven."""

    address: str
    validated_ts: int | None


class PhoneValidationStore(Store):
    """Phone numbers that are being proven."""

    @query(
        "INSERT INTO phone_validations (sid, purpose, client_secret, address, expires_ts)"
        " VALUES (:sid, :purpose, :client_secret, :address, :expires_ts)"
        " ON CONFLICT (sid) DO UPDATE SET expires_ts = excluded.expires_ts WHERE phone_validations.purpose ="
        " excluded.purpose AND phone_validations.client_secret = excluded.client_secret"
        " AND phone_validations.address = excluded.address RETURNING sid"
    )
    async def put(self, sid: str, purpose: str, client_secret: str, address: str, expires_ts: int) -> str | None:
        """Begin one, or go on with it; None where the session is another client's."""

    @query(
        "SELECT address, validated_ts FROM phone_validations WHERE sid = :sid AND client_secret = :client_secret"
        " AND expires_ts > :now"
    )
    async def of_client(self, sid: str, client_secret: str, now: int) -> PhoneValidation | None:
        """The one that a client began."""

    @query("UPDATE phone_validations SET validated_ts = :validated_ts WHERE sid = :sid")
    async def confirm(self, sid: str, validated_ts: int) -> None:
        """The number is proven."""

    @query(
        "DELETE FROM phone_validations WHERE sid = :sid AND purpose = :purpose AND validated_ts IS NOT NULL"
        " AND expires_ts > :now RETURNING address, validated_ts"
    )
    async def take(self, sid: str, purpose: str, now: int) -> Proven | None:
        """Use a proof up."""

    @query("DELETE FROM phone_validations WHERE expires_ts <= :now")
    async def delete_expired(self, now: int) -> int:
        """Forget what was never finished."""
