"""Forms as browsers and OAuth clients send them."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from myelin.http.request import Request
from myelin.matrix.errors import InvalidParam

MAX_FORM_BYTES = 65_536
MAX_FORM_FIELDS = 64
_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> Mapping[str, str]:
    """The form of a request. Raises InvalidParam, TooLarge."""
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != _TYPE:
        raise InvalidParam(f"The body must be {_TYPE}")
    try:
        return fields_of((await request.body(MAX_FORM_BYTES)).decode("ascii"))
    except UnicodeDecodeError as error:
        raise InvalidParam("The form cannot be read: send UTF-8, percent-encoded") from error


def fields_of(text: str) -> Mapping[str, str]:
    """Fields, each at most once, as RFC 6749 asks: of two, somebody else might read the other. Raises InvalidParam."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError) as error:
        raise InvalidParam("The fields cannot be read: send UTF-8, percent-encoded") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidParam("A field is there twice")
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise InvalidParam("A field contains NUL")
    return fields
