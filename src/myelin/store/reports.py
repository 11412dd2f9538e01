"""What users reported."""

from myelin.db.query import Store, query


class ReportStore(Store):
    """Writes reports."""

    @query(
        "INSERT INTO reports (report_id, kind, reporter, room_id, event_id, user_id, reason, created_ts) "
        "SELECT COALESCE(MAX(report_id), 0) + 1, CAST(:kind AS TEXT), CAST(:reporter AS TEXT), "
        "CAST(:room_id AS TEXT), CAST(:event_id AS TEXT), CAST(:user_id AS TEXT), CAST(:reason AS TEXT), "
        "CAST(:created_ts AS BIGINT) FROM reports WHERE TRUE ON CONFLICT (report_id) DO NOTHING"
    )
    async def add(
        self,
        kind: str,
        reporter: str,
        room_id: str | None,
        event_id: str | None,
        user_id: str | None,
        reason: str,
        created_ts: int,
    ) -> int:
        """Take down a report; 0 where another one took its number at the same time."""
