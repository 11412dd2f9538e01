"""The side of a decoding process that works: it takes limits on itself, then answers each line with a line.

What goes wrong in a decoder ends here: memory, file size, open files are bounded, there are no new processes and no
core file; each job has processor seconds of its own, and the server ends the process when a job takes too long.
"""

import contextlib
import resource
from collections.abc import Callable
from typing import BinaryIO

MAX_OUTPUT_BYTES = 64 * 1024 * 1024
MAX_OPEN_FILES = 32


def take_limits(memory_mib: int) -> None:
    """From here on the process may use no more than this."""
    for kind, most in (
        (resource.RLIMIT_AS, memory_mib * 1024 * 1024),
        (resource.RLIMIT_FSIZE, MAX_OUTPUT_BYTES),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # a lower hard limit that is there already is as good
            resource.setrlimit(kind, (most, most))


def serve(jobs: BinaryIO, outcomes: BinaryIO, job_seconds: int, answer: Callable[[bytes], bytes]) -> None:
    """Answer each line until the input ends; `job_seconds` of the processor for each."""
    for line in jobs:
        _allow_seconds(job_seconds)
        outcomes.write(answer(line) + b"\n")
        outcomes.flush()


def _allow_seconds(more: int) -> None:
    """Let the process use some more processor seconds; at the limit the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + more
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
