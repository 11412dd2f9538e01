"""`myelin routes`: the route table as text."""

import sys
from collections.abc import Iterable

from myelin.http.endpoint import Endpoint


def listing() -> str:
    """The server's endpoints, one a line."""
    import myelin.telemetry.logs  # noqa: F401  (before the app, to keep structlog from importing what is large)
    from myelin.app.build import route_table

    return table(route_table(), wide=sys.stdout.isatty())


def table(endpoints: Iterable[Endpoint], *, wide: bool) -> str:
    """Lines of method, path, who may call, rate limit and name: in columns if `wide`, else parted by tabs."""
    rows = [
        (one.method, path, one.auth.value, one.limit or "-", one.name)
        for one in endpoints
        for path in (one.path, *one.also)
    ]
    rows.sort(key=lambda row: (row[1], row[0]))
    if not wide:
        return "".join("\t".join(row) + "\n" for row in rows)
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    return "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)
