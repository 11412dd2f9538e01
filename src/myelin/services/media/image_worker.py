"""The process that decodes images, apart from the server: what goes wrong in a decoder ends here.

It reads one JSON job a line and answers with one JSON outcome a line. Before the first job it takes limits on itself
(memory, file size, open files, no new processes, no core file); each job has processor seconds of its own, and the
server ends the process when a job takes too long.
"""

import contextlib
import resource
import sys
import warnings
from pathlib import Path
from typing import BinaryIO

import msgspec

from myelin.services.media.image_job import Job, MakeThumbnail, Outcome

MAX_OUTPUT_BYTES = 64 * 1024 * 1024
MAX_OPEN_FILES = 32


def main() -> None:
    """Serve jobs from standard input until it ends. Arguments: memory in MiB, processor seconds a job."""
    memory_mib, job_seconds = int(sys.argv[1]), int(sys.argv[2])
    _limit(memory_mib)
    from myelin.services.media.thumbnail_image import make_thumbnail  # the decoders load under the limits

    warnings.simplefilter("ignore")
    serve(sys.stdin.buffer, sys.stdout.buffer, job_seconds, make_thumbnail)


def serve(jobs: BinaryIO, outcomes: BinaryIO, job_seconds: int, make_thumbnail: MakeThumbnail) -> None:
    """Answer each line."""
    for line in jobs:
        _allow_seconds(job_seconds)
        job = msgspec.json.decode(line, type=Job)
        outcome = _outcome(job, make_thumbnail)
        if outcome.problem:
            Path(job.target).unlink(missing_ok=True)
        outcomes.write(msgspec.json.encode(outcome) + b"\n")
        outcomes.flush()


def _outcome(job: Job, make_thumbnail: MakeThumbnail) -> Outcome:
    try:
        return make_thumbnail(job)
    except MemoryError:
        return Outcome(problem="too large")
    except Exception as error:  # noqa: BLE001  (decoders raise whatever they like on a broken file)
        return Outcome(problem="not decodable", detail=f"{type(error).__name__}: {error}"[:200])


def _limit(memory_mib: int) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, memory_mib * 1024 * 1024),
        (resource.RLIMIT_FSIZE, MAX_OUTPUT_BYTES),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # a lower hard limit that is there already is as good
            resource.setrlimit(kind, (most, most))


def _allow_seconds(more: int) -> None:
    """Let the process use some more processor seconds; at the limit the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + more
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
