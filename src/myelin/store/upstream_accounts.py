"""Whom people who sign in at another place are here."""

from myelin.db.query import Store, query


class UpstreamAccountStore(Store):
    """Links from accounts of providers to users; a user may have several."""

    @query("SELECT user_id FROM upstream_accounts WHERE provider = :provider AND subject = :subject")
    async def user(self, provider: str, subject: str) -> str | None:
        """Who somebody is here."""

    @query(
        "INSERT INTO upstream_accounts (provider, subject, user_id, linked_ts)"
        " VALUES (:provider, :subject, :user_id, :now) ON CONFLICT (provider, subject) DO NOTHING"
    )
    async def add(self, provider: str, subject: str, user_id: str, now: int) -> int:
        """Link an account; 0 where it is linked already."""

    @query("SELECT provider FROM upstream_accounts WHERE user_id = :user_id ORDER BY provider")
    async def providers(self, user_id: str) -> list[str]:
        """Where a user can sign in."""

    @query("SELECT count(*) FROM upstream_accounts WHERE user_id = :user_id AND provider = :provider")
    async def links(self, user_id: str, provider: str) -> int:
        """How many accounts of a provider are the user's."""
