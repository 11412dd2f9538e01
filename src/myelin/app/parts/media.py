"""Uploaded files and their thumbnails."""

import asyncio
from collections.abc import Mapping
from typing import Any

from myelin.api.client import authed_content_repo, content_repo
from myelin.api.client.media_answers import MediaAnswers
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.accounts.ports import DeactivationListeners
from myelin.services.media.downloads import Downloads
from myelin.services.media.files import ContentFiles
from myelin.services.media.image_process import ImageProcess
from myelin.services.media.ports import RemoteMediaSources
from myelin.services.media.remote_cache import RemoteCache
from myelin.services.media.removal import MediaRemoval
from myelin.services.media.thumbnails import Thumbnails
from myelin.services.media.uploads import Uploads
from myelin.services.media.waiting import Arrivals
from myelin.store.media import MediaStore, ThumbnailStore

FORGET_EXPIRED_EVERY_S = 3600


def make_media(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Uploads, downloads, thumbnails."""
    config = ground.config.media
    store = MediaStore(ground.database)
    files = ContentFiles(ground.config.media_path, ground.randomness)
    arrivals = Arrivals(ground.clock)
    uploads = Uploads(ground.server_name, config, store, files, arrivals, ground.clock, ground.randomness)
    remote = RemoteMediaSources()
    removal = MediaRemoval(ground.server_name, ground.database, files, ground.clock)
    cache = RemoteCache(ground.server_name, config.remote_cache_max_bytes, store, removal, ground.clock)
    downloads = Downloads(
        ground.server_name, config.max_upload_size, store, files, arrivals, ground.clock, remote, cache
    )
    services[DeactivationListeners].append(removal)
    process = ImageProcess(config)
    thumbnails = Thumbnails(config, ThumbnailStore(ground.database), files, process, ground.clock)

    async def forget_expired() -> None:
        while True:
            await uploads.forget_expired()
            await asyncio.sleep(FORGET_EXPIRED_EVERY_S)

    answers = MediaAnswers(downloads, thumbnails, files, public=config.unauthenticated_downloads)
    return Part(
        services={
            Uploads: uploads,
            Downloads: downloads,
            Thumbnails: thumbnails,
            ContentFiles: files,
            MediaAnswers: answers,
            MediaRemoval: removal,
            RemoteMediaSources: remote,
        },
        endpoints=[content_repo.endpoints, authed_content_repo.endpoints],
        loops=[forget_expired, removal.run],
        close=[process.close],
    )
