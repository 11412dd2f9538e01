"""Make one preview: the page, what describes it, its image."""

from typing import Any

import structlog

from myelin.config.sections.previews import UrlPreviews
from myelin.http.client import RequestFailed
from myelin.matrix.errors import MatrixError
from myelin.services.previews.composition import (
    KeptImage,
    absolute,
    described,
    image_addresses,
    merged,
    with_image,
)
from myelin.services.previews.fetching import Fetched, Fetcher
from myelin.services.previews.oembed import provider_address, read_oembed
from myelin.services.previews.page_job import PageFacts
from myelin.services.previews.page_process import PageProcess
from myelin.services.previews.preview_images import PreviewImages
from myelin.services.previews.url_rules import UrlRules

MAX_IMAGES_TRIED = 2
MAX_PLAIN_TEXT = 500

_log = structlog.get_logger("myelin.previews")


class PreviewMaking:
    """Puts a preview together."""

    def __init__(
        self, config: UrlPreviews, fetcher: Fetcher, rules: UrlRules, process: PageProcess, images: PreviewImages
    ) -> None:
        self._config = config
        self._fetcher = fetcher
        self._rules = rules
        self._process = process
        self.images = images

    async def make(self, url: str, image_expires_ts: int) -> dict[str, Any]:
        """The answer; images in it are kept until `image_expires_ts`. Raises RequestFailed."""
        address = provider_address(url)
        facts = await self._oembed(address) if address else None
        if facts is None or not facts.properties:
            page = await self._fetcher.fetch(url)
            if not page.is_page:
                return await self._of_file(page, image_expires_ts)
            facts, url = await self._of_page(page), page.url
        return with_image(described(facts, url), await self._image(facts, url, image_expires_ts))

    async def _of_page(self, page: Fetched) -> PageFacts:
        facts = await self._process.read_page(page.body, page.charset)
        if facts is None:
            raise RequestFailed("the page cannot be read")
        address = absolute(facts.oembed, page.url)
        if address and not {"og:title", "og:image"} <= facts.properties.keys():
            said = await self._oembed(address)
            return facts if said is None else merged(facts, said)
        return facts

    async def _oembed(self, address: str) -> PageFacts | None:
        """What an oEmbed endpoint says; None where it says nothing of use."""
        try:
            answer = read_oembed((await self._fetcher.fetch(self._rules.check(address))).body)
        except (RequestFailed, MatrixError) as error:
            _log.info("no oEmbed", reason=str(error))
            return None
        if answer is None:
            return None
        page = await self._process.read_page(answer.html.encode(), "utf-8") if answer.html else None
        return answer.facts(page.text if page is not None else "")

    async def _image(self, facts: PageFacts, page_url: str, expires_ts: int) -> KeptImage | None:
        for address in image_addresses(facts, page_url)[:MAX_IMAGES_TRIED]:
            try:
                fetched = await self._fetcher.fetch(self._rules.check(address))
            except (RequestFailed, MatrixError) as error:
                _log.info("no image for a preview", reason=str(error))
                continue
            image = await self._kept(fetched, expires_ts)
            if image is not None:
                return image
        return None

    async def _kept(self, fetched: Fetched, expires_ts: int) -> KeptImage | None:
        if not fetched.content_type.startswith("image/") or len(fetched.body) > self._config.max_image_size:
            return None
        return await self.images.keep(fetched.body, fetched.filename, expires_ts)

    async def _of_file(self, file: Fetched, expires_ts: int) -> dict[str, Any]:
        """Of what is not HTML: the image itself, how a text begins, or no more than the name."""
        answer = {"og:title": file.filename or file.url, "og:url": file.url}
        if file.content_type == "text/plain":
            page = await self._process.read_page(b"<plaintext>" + file.body, file.charset)
            answer["og:description"] = page.text[:MAX_PLAIN_TEXT] if page is not None else ""
        return with_image(answer, await self._kept(file, expires_ts))
