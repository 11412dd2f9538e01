"""The sample `myelin.toml`: every key explained, commented out at its default."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from myelin.config.known_keys import Key, known_keys, sections, type_in_words
from myelin.config.toml_values import toml_value

_WIDTH = 100
_HEAD = """\
# The configuration of Myelin. Every key is here, commented out, with its meaning and its default.
# A wrong or misplaced key stops the start, with its line; `myelin config check` says so beforehand.
"""


def sample(values: Mapping[tuple[str, ...], Any] | None = None) -> str:
    """The text of a config file in which only the given values, by (section, key), are in effect."""
    written = values or {}
    parts = [_HEAD]
    for name, section in sections().items():
        parts.append("\n" + _comment(section.__doc__ or "") + f"[{name}]\n")
        parts += ["\n" + _explained(key, written) for key in known_keys().values() if key.section == name]
    return "".join(parts)


def _explained(key: Key, values: Mapping[tuple[str, ...], Any]) -> str:
    settings = [
        f"{name} = {toml_value(values[key.section, name])}\n"
        for name in (key.name, f"{key.name}_file")
        if (key.section, name) in values
    ]
    setting = "".join(settings) or f"# {key.name} = {toml_value(key.default)}\n"
    example = f"# Example: {toml_value(key.example)}\n" if key.example else ""
    return _comment(" ".join(_sentences(key))) + example + setting


def _sentences(key: Key) -> Iterator[str]:
    yield key.description
    if key.is_choice:
        yield f"({type_in_words(key.type).capitalize()}.)"
    if key.is_marked("secret"):
        yield f"May stand in a file of its own: {key.name}_file = PATH."


def _comment(text: str) -> str:
    lines = textwrap.wrap(text, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines)
