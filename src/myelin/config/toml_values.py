"""Values written as TOML, as the sample file, the docs page and `config show` print them."""

import json
from typing import Any

import msgspec


def toml_value(value: Any) -> str:
    """The value as it would stand in `myelin.toml`, on one line; tables are inline."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml_value(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(part) for part in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # From five digits on, groups of three are easier to read.
        return f"{value:_}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, str):
        # A JSON string is a TOML string, but for the one control character that TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)
