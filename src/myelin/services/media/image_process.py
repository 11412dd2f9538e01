"""The server's side of the process that decodes images."""

from pathlib import Path

import msgspec
import structlog

from myelin.config.sections.storage import Media as MediaConfig
from myelin.services.media.decoding_process import DecodingEnded, DecodingLate, DecodingProcess
from myelin.services.media.files import off_loop
from myelin.services.media.image_job import Job, Outcome

_log = structlog.get_logger("myelin.media")
_WORKER = "myelin.services.media.image_worker"


class ImageProcess(DecodingProcess):
    """Makes thumbnails apart from the server."""

    def __init__(self, config: MediaConfig) -> None:
        super().__init__(_WORKER, memory_mib=config.thumbnail_memory_mib, timeout_ms=config.thumbnail_timeout_ms)

    async def run(self, job: Job) -> Outcome:
        """How the job went; a process that died or took too long is a problem of the image."""
        try:
            return msgspec.json.decode(await self.ask(msgspec.json.encode(job) + b"\n"), type=Outcome)
        except (DecodingEnded, DecodingLate, msgspec.MsgspecError) as error:
            await off_loop(_remove, job.target)
            _log.warning("an image could not be decoded", reason=str(error))
            return Outcome(problem="too large" if isinstance(error, DecodingLate) else "process ended")


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)
