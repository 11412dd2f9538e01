"""Single settings, each with the place it comes from: a file, the environment or the command line."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from myelin.config.config import Config
from myelin.config.known_keys import element_of, fields, is_struct
from myelin.config.problems import ConfigError, Origin, Problem
from myelin.config.toml_lines import KeyPath, toml_lines

ENVIRONMENT_PREFIX = "MYELIN_"


class Entry(NamedTuple):
    """One value for one key.

    `folder` is what a relative path in it starts from; `secret_file` the file that a secret was read from.
    """

    path: tuple[str, ...]
    value: Any
    folder: Path
    origin: Origin
    lines: Mapping[KeyPath, int]
    secret_file: str | None = None

    def origin_of(self, *within: str | int) -> Origin:
        """Where the value, or a part of it, was written."""
        path: KeyPath = (*self.path, *within)
        while path and path not in self.lines:
            path = path[:-1]
        return Origin(self.origin.source, self.lines[path]) if path else self.origin


def file_entries(path: Path) -> list[Entry]:
    """The settings in a TOML file.

    Raises ConfigError if the file cannot be read or is not TOML.
    """
    try:
        text = path.read_text("utf-8")
        tree = tomllib.loads(text)
    except OSError as error:
        raise ConfigError([Problem(Origin(str(path)), f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(Origin(str(path)), "is not UTF-8 text")]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_problem(path, text, str(error))]) from error
    lines = toml_lines(text)
    # Parents first, and then in the order of the file.
    entries = [Entry(key, value, path.parent, Origin(str(path)), lines) for key, value in _leaves(tree)]
    return sorted(entries, key=lambda entry: entry.origin_of().line or 0)


def _syntax_problem(path: Path, text: str, message: str) -> Problem:
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", message)
    line = int(place[1]) if place and place[1] else text.count("\n") + 1
    return Problem(Origin(str(path), line), f"not valid TOML: {message.split(' (at ')[0]}")


def environment_entries(environ: Mapping[str, str]) -> Iterator[Entry]:
    """The settings in variables named `MYELIN_SECTION__KEY`."""
    for variable, text in environ.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and "__" in variable:
            path = tuple(variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
            yield from _written_entries(path, text, Origin(variable))


def override_entries(overrides: Iterable[str], source: str = "--set") -> Iterator[Entry]:
    """The settings in `section.key=value` texts of the command line.

    Raises ConfigError if a text has no `=`.
    """
    for override in overrides:
        dotted, equals, text = override.partition("=")
        if not equals:
            raise ConfigError([Problem(Origin(source), "takes section.key=value, and there is no =")])
        yield from _written_entries(tuple(part.strip() for part in dotted.split(".")), text, Origin(source))


def _written_entries(path: tuple[str, ...], text: str, origin: Origin) -> Iterator[Entry]:
    """What someone typed for a key: TOML where it is TOML, else plain text."""
    value = _typed_value(_type_at(path), text)
    for leaf, part in _leaves_below(path, value):
        yield Entry(leaf, part, Path(), origin, {})


def _typed_value(kind: Any, text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if kind is str and not isinstance(value, str):
        return text
    if element_of(kind) is str and not isinstance(value, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    return value


def _leaves(tree: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in tree.items():
        yield from _leaves_below((name,), value)


def _leaves_below(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The single values in a value: only what a Struct describes is taken apart."""
    if isinstance(value, dict) and is_struct(_type_at(path)):
        for name, part in value.items():
            yield from _leaves_below((*path, name), part)
    else:
        yield path, value


def _type_at(path: tuple[str, ...]) -> Any:
    kind: Any = Config
    for name in path:
        field = fields(kind).get(name) if is_struct(kind) else None
        if field is None:
            return str if name.endswith("_file") else None
        kind = field.type
    return kind
