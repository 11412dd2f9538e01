"""The process that decodes images, apart from the server: one JSON job a line, one JSON outcome a line."""

import sys
import warnings
from pathlib import Path

import msgspec

from myelin.services.media.image_job import Job, MakeThumbnail, Outcome
from myelin.services.media.worker import serve, take_limits


def main() -> None:
    """Serve jobs from standard input until it ends. Arguments: memory in MiB, processor seconds a job."""
    memory_mib, job_seconds = int(sys.argv[1]), int(sys.argv[2])
    take_limits(memory_mib)
    from myelin.services.media.thumbnail_image import make_thumbnail  # the decoders load under the limits

    warnings.simplefilter("ignore")
    serve(sys.stdin.buffer, sys.stdout.buffer, job_seconds, lambda line: _answer(line, make_thumbnail))


def _answer(line: bytes, make_thumbnail: MakeThumbnail) -> bytes:
    job = msgspec.json.decode(line, type=Job)
    outcome = _outcome(job, make_thumbnail)
    if outcome.problem:
        Path(job.target).unlink(missing_ok=True)
    return msgspec.json.encode(outcome)


def _outcome(job: Job, make_thumbnail: MakeThumbnail) -> Outcome:
    try:
        return make_thumbnail(job)
    except MemoryError:
        return Outcome(problem="too large")
    except Exception as error:  # noqa: BLE001  (decoders raise whatever they like on a broken file)
        return Outcome(problem="not decodable", detail=f"{type(error).__name__}: {error}"[:200])


if __name__ == "__main__":
    main()
