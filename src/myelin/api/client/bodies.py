"""Bodies that are read after an authentication let them through."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from myelin.matrix.errors import BadJson, MissingParam

T = TypeVar("T", bound=msgspec.Struct)


def read(kind: type[T], body: Mapping[str, Any]) -> T:
    """The body as a Struct. Raises BadJson, or MissingParam where a field is missing."""
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        raise (MissingParam if "missing required field" in text else BadJson)(text) from error
