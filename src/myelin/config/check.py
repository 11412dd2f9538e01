"""Whether a single setting names a known key and holds a value it may hold."""

import re
from typing import Any, Literal, get_args, get_origin

import msgspec

from myelin.config.config import Config
from myelin.config.entries import Entry
from myelin.config.known_keys import Field, element_of, fields, form_of, is_marked, is_struct, type_in_words
from myelin.config.problems import Problem
from myelin.config.suggest import unknown_field, unknown_key, unknown_section
from myelin.config.toml_values import toml_value

# How much of a wrong value an error shows.
SHOWN_VALUE_LENGTH = 60

_INDEX = re.compile(r"`\$\[(\d+)\]")
_PLAIN_WORDS = {
    "`str`": "text",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`array`": "a list",
    "`object`": "a table",
    "`": "",
}


class Refused(Exception):
    """The setting cannot be used; carries why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def checked(entry: Entry) -> Entry:
    """The setting with its value converted, its path absolute and its secret read from the file that holds it.

    Raises Refused.
    """
    entry, field = _find(_with_secret_read(entry))
    value = _convert(entry, field, entry.value)
    if is_marked(field.metas, "path") and value:
        value = _absolute(entry, value)
    return entry._replace(value=value)


def _absolute(entry: Entry, value: Any) -> Any:
    """A path, or each of a list of paths."""
    if isinstance(value, str):
        return str((entry.folder / value).absolute())
    return tuple(_absolute(entry, path) for path in value)


def _with_secret_read(entry: Entry) -> Entry:
    name = entry.path[-1].removesuffix("_file")
    field = _section_fields(entry).get(name)
    if len(entry.path) != 2 or name == entry.path[-1] or field is None or not is_marked(field.metas, "secret"):
        return entry
    if not isinstance(entry.value, str):
        raise _refusal(entry, f"{'.'.join(entry.path)} must be the path of a file")
    file = entry.folder / entry.value
    try:
        secret = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise _refusal(entry, f"{'.'.join(entry.path)}: {file} cannot be read: {reason}") from error
    # The origin stays that of the setting that names the file.
    return entry._replace(
        path=(entry.path[0], name), value=secret, origin=entry.origin_of(), lines={}, secret_file=str(file.absolute())
    )


def _section_fields(entry: Entry) -> dict[str, Field]:
    section = fields(Config).get(entry.path[0])
    return fields(section.type) if section else {}


def _find(entry: Entry) -> tuple[Entry, Field]:
    """The field that the setting names."""
    section, *names = entry.path
    if section not in fields(Config):
        is_table = bool(names) or isinstance(entry.value, dict)
        raise _refusal(entry, unknown_section(section) if is_table else unknown_key(None, section))
    field = fields(Config)[section]
    for depth, name in enumerate(names, start=1):
        known = fields(field.type) if is_struct(field.type) else {}
        if name not in known:
            parent = ".".join(entry.path[:depth])
            reason = unknown_key(section, name) if depth == 1 else unknown_field(parent, name, tuple(known))
            raise _refusal(entry, reason)
        field = known[name]
    if is_struct(field.type):
        what = f"[{section}] is a section" if not names else f"{'.'.join(entry.path)} is a table"
        raise _refusal(entry, f"{what} of {', '.join(fields(field.type))}, not a single value")
    return entry, field


def _convert(entry: Entry, field: Field, value: Any) -> Any:
    element = element_of(field.type)
    if is_struct(element) and isinstance(value, list):
        value = [_checked_element(entry, element, index, item) for index, item in enumerate(value)]
    return _converted(entry, field, value, ())


def _checked_element(entry: Entry, struct: type[msgspec.Struct], index: int, item: Any) -> Any:
    """The table at that place of a list, with every field looked at on its own so that the error can name it."""
    if not isinstance(item, dict):
        return item
    known = fields(struct)
    for name, value in item.items():
        if name not in known:
            key = f"{'.'.join(entry.path)}[{index}]"
            raise _refusal(entry, unknown_field(key, name, tuple(known)), index, name)
        _converted(entry, known[name], value, (index, name))
    return item


def _converted(entry: Entry, field: Field, value: Any, within: tuple[str | int, ...]) -> Any:
    try:
        return msgspec.convert(value, field.bounded)
    except msgspec.ValidationError as error:
        # In a list the error says which element: "Expected `str`, got `int` - at `$[1]`".
        message, _, place = str(error).partition(" - at ")
        if index := _INDEX.match(place):
            within, value = (*within, int(index[1])), value[int(index[1])]
        key = ".".join(entry.path) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in within)
        shown = "" if is_marked(field.metas, "secret") else f" = {_shown(value)}"
        raise _refusal(entry, f"{key}{shown}: {_wanted(field, value, message)}", *within) from error


def _wanted(field: Field, value: Any, message: str) -> str:
    """What would be right, in words rather than in types and patterns."""
    if get_origin(field.type) is Literal:
        return f"must be {type_in_words(field.type)}" + _nearest_choice(field, value)
    if "matching regex" in message:
        return f"must be {form_of(field)}"
    for technical, plain in _PLAIN_WORDS.items():
        message = message.replace(technical, plain)
    return message[0].lower() + message[1:]


def _nearest_choice(field: Field, value: Any) -> str:
    matches = [choice for choice in get_args(field.type) if str(choice).lower() == str(value).lower()]
    return f'; did you mean "{matches[0]}"?' if matches else ""


def _shown(value: Any) -> str:
    text = toml_value(value)
    return text if len(text) <= SHOWN_VALUE_LENGTH else text[:SHOWN_VALUE_LENGTH] + "..."


def _refusal(entry: Entry, message: str, *within: str | int) -> Refused:
    return Refused(Problem(entry.origin_of(*within), message))
