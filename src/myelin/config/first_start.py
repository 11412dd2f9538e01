"""What a server needs before it can run: its folders, its signing key and its config file, made where missing."""

import base64
import string
from pathlib import Path
from typing import Any

from myelin.config.config import Config
from myelin.config.load import Loaded
from myelin.config.new_files import make_folder, write_new_file
from myelin.config.ports import Randomness
from myelin.config.problems import ConfigError, Origin, Problem
from myelin.config.sample import sample

CONFIG_FILE_NAME = "myelin.toml"
KEY_VERSION_LENGTH = 4
SEED_LENGTH = 32  # bytes: an Ed25519 seed


def prepare(config: Config, randomness: Randomness) -> bool:
    """Make the folders and the signing key that are not there yet; whether a key was made.

    Raises ConfigError if the disk refuses.
    """
    try:
        make_folder(config.data_directory)
        make_folder(config.media_path)
        if config.signing_key_path.exists():
            return False
        return write_new_file(config.signing_key_path, signing_key_line(randomness))
    except OSError as error:
        raise _refused(error) from error


def write_config(path: Path, loaded: Loaded) -> bool:
    """Write the first `myelin.toml`: everything explained, and in effect what the command line gave.

    Returns False if another start has just written it. Raises ConfigError if the disk refuses.
    """
    try:
        make_folder(path.parent)
        return write_new_file(path, sample(_given(path, loaded)))
    except OSError as error:
        raise _refused(error) from error


def _given(file: Path, loaded: Loaded) -> dict[tuple[str, ...], Any]:
    """What the command line gave; the environment's values stay in the environment."""
    given: dict[tuple[str, ...], Any] = {}
    for path, origin in loaded.origins.items():
        if not origin.source.startswith("--"):
            continue
        if path in loaded.secret_files:
            given[path[0], f"{path[1]}_file"] = loaded.secret_files[path]
        else:
            given[path[:2]] = getattr(getattr(loaded.config, path[0]), path[1])
    # The folder of the file needs no mention: so it can be moved.
    if loaded.config.data_directory.absolute() == file.parent.absolute():
        given.pop(("server", "data_directory"), None)
    return given


def signing_key_line(randomness: Randomness) -> str:
    """A new key as the file holds it: `ed25519 a_XXXX SEED`, the seed in unpadded base64."""
    version = randomness.string(KEY_VERSION_LENGTH, string.ascii_letters + string.digits)
    seed = base64.b64encode(randomness.token_bytes(SEED_LENGTH)).decode().rstrip("=")
    return f"ed25519 a_{version} {seed}\n"


def _refused(error: OSError) -> ConfigError:
    return ConfigError([Problem(Origin(str(error.filename)), error.strerror or "cannot be written")])
