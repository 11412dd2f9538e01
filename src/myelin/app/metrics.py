"""`/metrics`, on a listener of its own."""

from aiohttp import web

from myelin.http.listener import Listener
from myelin.telemetry.metrics import Figures

KEEPALIVE_S = 75
SHUTDOWN_S = 1


class _MetricsHandler:
    def __init__(self, figures: Figures) -> None:
        from myelin.telemetry.exposition import CONTENT_TYPE, Exposition  # large: only where figures are served

        self._exposition = Exposition(figures)
        self._headers = {"Content-Type": CONTENT_TYPE}

    async def handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        if raw.path != "/metrics":
            return web.Response(status=404)
        return web.Response(body=self._exposition.render(), headers=self._headers)


def metrics_listener(figures: Figures) -> Listener:
    """A listener that answers with the figures and nothing else."""
    return Listener(_MetricsHandler(figures), keepalive_s=KEEPALIVE_S, shutdown_s=SHUTDOWN_S)
