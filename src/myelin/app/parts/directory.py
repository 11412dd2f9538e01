"""Finding users."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import users
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.directory.directory_index import UserDirectoryIndex
from myelin.services.directory.user_directory import UserDirectory


def make_directory(ground: Ground, services: Mapping[type, Any]) -> Part:  # noqa: ARG001  (a MakePart)
    """The user directory; its index is for the writer of events."""
    return Part(
        services={
            UserDirectory: UserDirectory(ground.config.user_directory, ground.database, ground.server_name),
            UserDirectoryIndex: UserDirectoryIndex(ground.server_name),
        },
        endpoints=[users.endpoints],
    )
