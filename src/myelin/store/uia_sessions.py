"""User-interactive authentications that have begun, for whichever process takes the next step."""

from typing import NamedTuple

from myelin.db.query import Store, query


class UiaSession(NamedTuple):
    """What an authentication was begun for."""

    operation: str
    body_hash: str
    body: str


class UiaStage(NamedTuple):
    """A stage that was passed, and what it found."""

    stage: str
    result: str


class UiaSessionStore(Store):
    """User-interactive authentication sessions."""

    @query(
        "INSERT INTO uia_sessions (session, operation, body_hash, body, expires_ts)"
        " VALUES (:session, :operation, :body_hash, :body, :expires_ts)"
    )
    async def add_session(self, session: str, operation: str, body_hash: str, body: str, expires_ts: int) -> None:
        """Begin an authentication."""

    @query("SELECT operation, body_hash, body FROM uia_sessions WHERE session = :session AND expires_ts > :now")
    async def session(self, session: str, now: int) -> UiaSession | None:
        """One that has not expired."""

    @query(
        "UPDATE uia_sessions SET body_hash = :body_hash, body = :body WHERE session = :session"
        " AND NOT EXISTS (SELECT 1 FROM uia_stages t WHERE t.session = uia_sessions.session)"
    )
    async def put_body(self, session: str, body_hash: str, body: str) -> int:
        """Bind to another body, while no stage is passed."""

    @query("SELECT stage, result FROM uia_stages WHERE session = :session ORDER BY stage")
    async def stages(self, session: str) -> list[UiaStage]:
        """The stages passed."""

    @query(
        "INSERT INTO uia_stages (session, stage, result) VALUES (:session, :stage, :result)"
        " ON CONFLICT (session, stage) DO NOTHING"
    )
    async def add_stage(self, session: str, stage: str, result: str) -> None:
        """A stage is passed."""

    @query(
        "SELECT count(*) FROM uia_stages t JOIN uia_sessions s ON s.session = t.session"
        " WHERE t.stage = :stage AND t.result = :result AND s.expires_ts > :now"
    )
    async def passed_with(self, stage: str, result: str, now: int) -> int:
        """How many running authentications passed a stage with this result."""

    @query("DELETE FROM uia_sessions WHERE session = :session")
    async def delete_session(self, session: str) -> int:
        """End one; 0 when somebody else did."""

    @query("DELETE FROM uia_sessions WHERE expires_ts <= :now")
    async def delete_expired(self, now: int) -> int:
        """Forget what was never finished."""

    @query("DELETE FROM uia_stages WHERE session NOT IN (SELECT session FROM uia_sessions)")
    async def delete_stages_left(self) -> int:
        """Forget the stages of sessions that are gone."""
