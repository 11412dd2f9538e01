"""The process that reads pages and images for previews, apart from the server: a JSON job and an outcome a line."""

import sys
import warnings

import msgspec

from myelin.services.media.worker import serve, take_limits
from myelin.services.previews.page_job import PageJob, PageOutcome, ReadPage, Unreadable


def main() -> None:
    """Serve jobs from standard input until it ends. Arguments: memory in MiB, processor seconds a job."""
    take_limits(int(sys.argv[1]))
    # The parsers load under the limits, all of them: later the process may open few files.
    from myelin.services.previews.image_measuring import measure_image
    from myelin.services.previews.page_parsing import read_page

    def answer(line: bytes) -> bytes:
        job = msgspec.json.decode(line, type=PageJob)
        outcome: PageOutcome
        try:
            outcome = read_page(job) if isinstance(job, ReadPage) else measure_image(job)
        except Exception as error:  # noqa: BLE001  (parsers raise whatever they like on a broken file)
            outcome = Unreadable(f"{type(error).__name__}: {error}"[:200])
        return msgspec.json.encode(outcome)

    warnings.simplefilter("ignore")
    serve(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[2]), answer)


if __name__ == "__main__":
    main()
