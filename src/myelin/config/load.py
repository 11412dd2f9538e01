"""From a TOML file, the environment and the command line to a `Config`."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from myelin.config.config import Config


def load_config(path: Path | None, overrides: list[str], environ: Mapping[str, str]) -> Config:
    """The configuration in effect."""
    tree = tomllib.loads(path.read_text("utf-8")) if path else {}
    return msgspec.convert(tree, Config)
