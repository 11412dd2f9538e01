"""EDUs from other servers, each given to who knows its type; whatever they hold, nothing of it gets further."""

from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from myelin.matrix.errors import MatrixError

_log = structlog.get_logger("myelin.federation")


class EduTaker(Protocol):
    """Knows EDUs of one type."""

    async def take(self, origin: str, content: dict[str, Any]) -> None:
        """Take one in that the server `origin` sent. Raises MatrixError where it is not to be had."""
        ...


class IncomingEdus:
    """The port that transactions hand their EDUs to."""

    def __init__(self, takers: Mapping[str, EduTaker]) -> None:
        self._takers = takers

    async def receive(self, origin: str, edu_type: str, content: dict[str, Any]) -> None:
        """Take an EDU in; types that nobody knows are ignored. Raises nothing."""
        taker = self._takers.get(edu_type)
        if taker is None or not isinstance(content, dict):
            return
        try:
            await taker.take(origin, content)
        except MatrixError as error:
            _log.info("an EDU is dropped", origin=origin, type=edu_type, reason=error.errcode)
        except Exception as error:  # noqa: BLE001  (whatever it was, the rest of the transaction must be taken in)
            _log.error("an EDU could not be taken in", origin=origin, type=edu_type, exc_info=error)
