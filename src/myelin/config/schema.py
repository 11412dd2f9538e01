"""The JSON Schema of `myelin.toml`, for editors that complete and check as one types."""

import json
from typing import Any

import msgspec

from myelin.config.config import Config
from myelin.config.known_keys import known_keys, sections


def json_schema() -> str:
    """The schema as JSON text."""
    schema = msgspec.json.schema(Config)
    definitions: dict[str, Any] = schema["$defs"]
    for key in known_keys().values():
        if key.is_marked("secret"):
            properties = definitions[sections()[key.section].__name__]["properties"]
            properties[f"{key.name}_file"] = {"type": "string", "description": f"A file that holds {key.name}."}
    _drop_required(definitions)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


def _drop_required(definitions: dict[str, Any]) -> None:
    """A bucket that is partly given keeps its default for the rest, unlike the elements of a list."""
    for name in {type(key.default).__name__ for key in known_keys().values()}:
        definitions.get(name, {}).pop("required", None)
