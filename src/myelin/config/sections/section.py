"""The shapes that every section's keys are written in, so that their bounds and meaning are data."""

from typing import Annotated, Any

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Milliseconds = Annotated[int, Meta(le=10 * 365 * 86_400_000, extra={"unit": "milliseconds"})]
Bytes = Annotated[int, Meta(extra={"unit": "bytes"})]
Mebibytes = Annotated[int, Meta(le=1_048_576, extra={"unit": "MiB"})]
Kibibytes = Annotated[int, Meta(ge=8, le=4_194_304, extra={"unit": "KiB"})]

# A secret is never shown, and may stand in a file of its own: KEY_file = "path" instead of KEY.
Secret = Annotated[str, Meta(extra={"secret": True})]
# A path that is relative is taken from the folder of the file it is written in.
FilePath = Annotated[str, Meta(extra={"path": True})]
# HOST:PORT, [IPV6]:PORT or :PORT (every address); port 0 takes any free one.
Listen = Annotated[
    str,
    Meta(
        pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):[0-9]{1,5}$",
        extra={"form": "HOST:PORT, [IPV6]:PORT, or :PORT for every address"},
    ),
]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of `myelin.toml`; its docstring introduces it in the sample file and on the docs page."""


def about(description: str, *, form: str | None = None, **bounds: Any) -> Meta:
    """What a key means, in a sentence, and its bounds; `form` says in words what a pattern asks for."""
    return Meta(description=description, extra={"form": form} if form else None, **bounds)
