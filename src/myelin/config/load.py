"""From a TOML file, the environment and the command line to a `Config`; each of them outweighs the one before."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from myelin.config.check import Refused, checked
from myelin.config.config import Config
from myelin.config.entries import Entry, environment_entries, file_entries, override_entries
from myelin.config.problems import ConfigError, Origin, Problem
from myelin.config.sense import errors_of_sense

_DATA_DIRECTORY = ("server", "data_directory")


class Loaded(NamedTuple):
    """A configuration, where each value that was set comes from, and the files that secrets were read from."""

    config: Config
    origins: dict[tuple[str, ...], Origin]
    secret_files: dict[tuple[str, ...], str]


def load_config(path: Path | None, overrides: list[str], environ: Mapping[str, str]) -> Config:
    """The configuration in effect: defaults, the file at `path`, MYELIN_* of `environ`, `section.key=value` overrides.

    Raises ConfigError with everything that is wrong, each problem with its file and line.
    """
    return load(path, environ, override_entries(overrides)).config


def load(path: Path | None, environ: Mapping[str, str], overrides: Iterable[Entry]) -> Loaded:
    """The configuration in effect, with the origin of each value.

    Raises ConfigError with everything that is wrong.
    """
    layers = [file_entries(path) if path else [], environment_entries(environ), overrides]
    values: dict[tuple[str, ...], Any] = {}
    origins: dict[tuple[str, ...], Origin] = {}
    secret_files: dict[tuple[str, ...], str] = {}
    problems: list[Problem] = []
    for layer in layers:
        in_layer: dict[tuple[str, ...], Entry] = {}
        for entry in layer:
            try:
                setting = checked(entry)
            except Refused as refused:
                problems.append(refused.problem)
                continue
            problems += _given_twice(in_layer.get(setting.path), entry)
            in_layer[setting.path] = entry
            values[setting.path] = setting.value
            origins[setting.path] = setting.origin_of()
            secret_files.pop(setting.path, None)
            if setting.secret_file is not None:
                secret_files[setting.path] = setting.secret_file
    if problems:
        raise ConfigError(problems)
    if path and not values.get(_DATA_DIRECTORY):
        values[_DATA_DIRECTORY] = str(path.parent.absolute())
    loaded = Loaded(_build(Config(), (), values), origins, secret_files)
    if wrong := errors_of_sense(loaded.config, loaded.origins):
        raise ConfigError(wrong)
    return loaded


def _given_twice(earlier: Entry | None, entry: Entry) -> list[Problem]:
    """A secret may stand in the file itself or in one of its own, not in both."""
    if earlier is None or earlier.path == entry.path:
        return []
    names = " and ".join(sorted(".".join(one.path) for one in (earlier, entry)))
    return [Problem(entry.origin_of(), f"{names} are both set; keep one")]


def _build(default: Any, path: tuple[str, ...], values: Mapping[tuple[str, ...], Any]) -> Any:
    """The Struct with the values put in place of its defaults."""
    changes = {}
    for name in default.__struct_fields__:
        here = (*path, name)
        before = getattr(default, name)
        if here in values:
            changes[name] = values[here]
        elif isinstance(before, msgspec.Struct) and any(key[: len(here)] == here for key in values):
            changes[name] = _build(before, here, values)
    return msgspec.structs.replace(default, **changes)
