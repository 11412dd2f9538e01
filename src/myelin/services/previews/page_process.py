"""The server's side of the process that reads pages."""

import msgspec
import structlog

from myelin.services.media.decoding_process import DecodingEnded, DecodingLate, DecodingProcess
from myelin.services.previews.page_job import ImageFacts, MeasureImage, PageFacts, PageJob, PageOutcome, ReadPage

_log = structlog.get_logger("myelin.previews")
_DECODER: msgspec.json.Decoder[PageOutcome] = msgspec.json.Decoder(PageOutcome)
_WORKER = "myelin.services.previews.page_worker"


class PageProcess(DecodingProcess):
    """Reads what other servers sent apart from this one."""

    def __init__(self, *, memory_mib: int, timeout_ms: int) -> None:
        super().__init__(_WORKER, memory_mib=memory_mib, timeout_ms=timeout_ms)

    async def read_page(self, body: bytes, charset: str) -> PageFacts | None:
        """What an HTML page says of itself; None where it cannot be read."""
        outcome = await self._run(ReadPage(body, charset))
        return outcome if isinstance(outcome, PageFacts) else None

    async def measure_image(self, body: bytes, max_pixels: int) -> ImageFacts | None:
        """An image's size; None for what is no image or too large."""
        outcome = await self._run(MeasureImage(body, max_pixels))
        return outcome if isinstance(outcome, ImageFacts) else None

    async def _run(self, job: PageJob) -> PageOutcome | None:
        try:
            return _DECODER.decode(await self.ask(msgspec.json.encode(job) + b"\n"))
        except (DecodingEnded, DecodingLate, msgspec.MsgspecError) as error:
            _log.info("a page could not be read", reason=str(error))
            return None
