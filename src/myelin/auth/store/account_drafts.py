"""Accounts that are being made on the pages."""

from typing import NamedTuple

from myelin.db.query import Store, query


class AccountDraft(NamedTuple):
    """An account so far."""

    draft: str
    user_id: str
    password_hash: str
    registration_token: str | None
    leads_to: str
    email: str | None
    code_hash: str | None
    code_expires_ts: int | None
    code_tries: int
    codes_sent: int
    expires_ts: int


class AccountDraftStore(Store):
    """Accounts on their way."""

    @query(
        "INSERT INTO account_drafts (draft, user_id, password_hash, registration_token, leads_to, expires_ts)"
        " VALUES (:draft, :user_id, :password_hash, :registration_token, :leads_to, :expires_ts)"
    )
    async def add(
        self,
        draft: str,
        *,
        user_id: str,
        password_hash: str,
        registration_token: str | None,
        leads_to: str,
        expires_ts: int,
    ) -> None:
        """Somebody begins."""

    @query(
        "SELECT draft, user_id, password_hash, registration_token, leads_to, email, code_hash, code_expires_ts,"
        " code_tries, codes_sent, expires_ts FROM account_drafts WHERE draft = :draft AND expires_ts > :now"
    )
    async def draft(self, draft: str, now: int) -> AccountDraft | None:
        """One that is under way."""

    @query(
        "UPDATE account_drafts SET email = :email, code_hash = :code_hash, code_expires_ts = :code_expires_ts,"
        " code_tries = 0, codes_sent = codes_sent + 1 WHERE draft = :draft AND codes_sent < :most"
    )
    async def put_code(self, draft: str, *, email: str, code_hash: str, code_expires_ts: int, most: int) -> int:
        """A code is sent to an address; 0 when too many were."""

    @query("UPDATE account_drafts SET code_tries = code_tries + 1 WHERE draft = :draft AND code_tries < :most")
    async def count_try(self, draft: str, most: int) -> int:
        """A code is tried; 0 when too many were."""

    @query("DELETE FROM account_drafts WHERE draft = :draft")
    async def delete(self, draft: str) -> int:
        """It is made, or given up; 0 when somebody else did."""

    @query("DELETE FROM account_drafts WHERE expires_ts <= :now")
    async def forget_expired(self, now: int) -> int:
        """Forget what was never finished."""
