"""The log between processes."""

from collections.abc import Mapping
from typing import Any

from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.db.connection import Dialect
from myelin.services.log_poller import LogPoller


def make_log(ground: Ground, services: Mapping[type, Any]) -> Part:  # noqa: ARG001  (every part is made like this)
    """Where several processes may share a database, each looks what the others wrote."""
    if ground.database.dialect is not Dialect.POSTGRES:
        return Part()
    poller = LogPoller(ground.database, ground.committer, ground.feed)
    return Part(services={LogPoller: poller}, loops=(poller.run,))
