"""Previews of URLs."""

import asyncio
from collections.abc import Mapping
from typing import Any

from myelin.api.client import url_previews
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.http.client import HttpClient
from myelin.http.ssrf import AddressGuard
from myelin.services.media.files import ContentFiles
from myelin.services.media.removal import MediaRemoval
from myelin.services.previews.fetching import Fetcher
from myelin.services.previews.page_process import PageProcess
from myelin.services.previews.preview_images import PreviewImages
from myelin.services.previews.preview_making import PreviewMaking
from myelin.services.previews.previews import Previews
from myelin.services.previews.url_rules import UrlRules
from myelin.store.url_previews import UrlPreviewStore

USER_AGENT = "Mozilla/5.0 (compatible; Myelin; link preview bot)"
MAX_ASKED_OF_A_HOST = 4
FORGET_EXPIRED_EVERY_S = 3600


def make_previews(ground: Ground, services: Mapping[type, Any]) -> Part:
    """What links in messages lead to. Stands after media."""
    config, media = ground.config.url_previews, ground.config.media
    client = HttpClient(
        AddressGuard(deny_private=config.deny_private_addresses),
        user_agent=USER_AGENT,
        allow_http=True,
        limit_per_host=MAX_ASKED_OF_A_HOST,
    )
    rules = UrlRules(config)
    process = PageProcess(memory_mib=media.thumbnail_memory_mib, timeout_ms=config.timeout_ms)
    images = PreviewImages(
        ground.server_name,
        media.max_pixels,
        ground.database,
        services[ContentFiles],
        services[MediaRemoval],
        process,
        ground.clock,
        ground.randomness,
    )
    making = PreviewMaking(config, Fetcher(config, client, rules, ground.clock), rules, process, images)
    previews = Previews(config, rules, UrlPreviewStore(ground.database), making, ground.clock)

    async def forget_expired() -> None:
        while True:
            await previews.forget_expired()
            await asyncio.sleep(FORGET_EXPIRED_EVERY_S)

    return Part(
        services={Previews: previews},
        endpoints=[url_previews.endpoints],
        loops=[forget_expired],
        close=[client.close, process.close, previews.close],
    )
