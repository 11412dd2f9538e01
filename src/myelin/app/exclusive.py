"""One serving process for an SQLite database: a second one would not hear what the first writes."""

import fcntl
import os
from pathlib import Path
from typing import IO

from myelin.db.connection import DatabaseError

LOCK_FILE = "serving.lock"


def lock_data_directory(folder: Path) -> IO[str]:
    """Hold the folder until the file is closed. Raises DatabaseError if another process serves from it."""
    lock = (folder / LOCK_FILE).open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise DatabaseError(
            f"another process serves from {folder}: with SQLite there can be one; stop it, or use PostgreSQL"
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock
