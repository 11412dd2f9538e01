"""Every key that `myelin.toml` may hold, read off the Structs."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from myelin.config.config import Config
from myelin.config.sections.section import Section


class Key(NamedTuple):
    """A key of a section, with all that is said about it."""

    section: str
    name: str
    type: Any
    default: Any
    metas: tuple[msgspec.Meta, ...]

    @property
    def dotted(self) -> str:
        """`section.name`."""
        return f"{self.section}.{self.name}"

    @property
    def description(self) -> str:
        """What the key means."""
        return next((meta.description for meta in self.metas if meta.description), "")

    @property
    def example(self) -> Any:
        """A value as one might write it, or None."""
        return next((meta.examples[0] for meta in self.metas if meta.examples), None)

    @property
    def is_choice(self) -> bool:
        """Whether the value is one of a few."""
        return get_origin(self.type) is Literal

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The least and the greatest number allowed."""
        low = next((bound for meta in self.metas for bound in (meta.ge, meta.gt) if bound is not None), None)
        high = next((bound for meta in self.metas for bound in (meta.le, meta.lt) if bound is not None), None)
        return low, high

    def is_marked(self, mark: str) -> bool:
        """Whether the key is marked as `secret` or `path`."""
        return is_marked(self.metas, mark)


def sections() -> dict[str, type[Section]]:
    """The sections by name, in the order of the sample file."""
    return {name: field.type for name, field in fields(Config).items()}


@cache
def known_keys() -> dict[str, Key]:
    """All keys by `section.name`, in the order of the sample file."""
    return {key.dotted: key for section in sections() for key in _keys(section)}


def _keys(section: str) -> Iterator[Key]:
    defaults = getattr(Config(), section)
    for name, field in fields(sections()[section]).items():
        yield Key(section, name, field.type, getattr(defaults, name), field.metas)


class Field(NamedTuple):
    """A field of a Struct: its bare type, the type with bounds, and what is said about it."""

    type: Any
    bounded: Any
    metas: tuple[msgspec.Meta, ...]


@cache
def fields(struct: type[msgspec.Struct]) -> dict[str, Field]:
    """The fields of a Struct by name."""
    hints = get_type_hints(struct, include_extras=True)
    return {name: _field(hints[name]) for name in struct.__struct_fields__}


def _field(hint: Any) -> Field:
    if get_origin(hint) is not Annotated:
        return Field(hint, hint, ())
    bare, *annotations = get_args(hint)
    return Field(bare, hint, tuple(meta for meta in annotations if isinstance(meta, msgspec.Meta)))


def is_marked(metas: tuple[msgspec.Meta, ...], mark: str) -> bool:
    """Whether an annotation marks the field, as `secret` or `path` do."""
    return any(meta.extra and meta.extra.get(mark) for meta in metas)


def form_of(field: Field) -> str:
    """What the pattern of the field, or of its elements, asks for, in words."""
    hints = [field.bounded, *get_args(get_args(field.bounded)[0])]
    metas = [meta for hint in hints for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    return next(str(meta.extra["form"]) for meta in metas if meta.extra and "form" in meta.extra)


def is_struct(kind: Any) -> bool:
    """Whether the type is a Struct, a table in TOML."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def element_of(kind: Any) -> Any:
    """The element type of a list of any length, without its bounds; None for anything else."""
    if get_origin(kind) is not tuple:
        return None
    element = get_args(kind)[0]
    return get_args(element)[0] if get_origin(element) is Annotated else element


def type_in_words(kind: Any) -> str:
    """The type as a person reads it: `text`, `whole number`, `one of "a", "b"`, `list of text`."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in get_args(kind))
    if (element := element_of(kind)) is not None:
        return f"list of {type_in_words(element)}"
    if is_struct(kind):
        return "table of " + ", ".join(kind.__struct_fields__)
    words: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return words[kind]
