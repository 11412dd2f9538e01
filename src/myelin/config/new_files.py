"""New files for their owner's eyes alone, which are there completely or not at all."""

import os
import tempfile
from pathlib import Path


def write_new_file(path: Path, text: str) -> bool:
    """Write the file with mode 0600 and put it on disk; False if it was there already, which leaves it as it was."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link never replaces what another process has put there meanwhile.
        os.link(name, path)
    except FileExistsError:
        return False
    finally:
        Path(name).unlink()
    _sync_folder(path.parent)
    return True


def make_folder(path: Path) -> None:
    """Make the folder, and those above it, for its owner alone; one that is there stays as it is."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
