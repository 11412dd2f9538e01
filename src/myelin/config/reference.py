"""`docs/configuration.md`, made from the Structs; `python -m myelin.config.reference` prints it."""

import sys
from collections.abc import Iterator

from myelin.config.known_keys import Key, known_keys, sections, type_in_words
from myelin.config.toml_values import toml_value

_HEAD = """\
# Configuration

<!-- Made by `python -m myelin.config.reference`; change the Structs in src/myelin/config/sections instead. -->

Myelin reads one file, `myelin.toml`. `myelin serve` makes it on the first start; `myelin config sample` prints it with
every key explained. Each of these outweighs the one before:

1. the defaults below,
2. the file: `--config FILE`, or `myelin.toml` in the data directory,
3. environment variables named `MYELIN_SECTION__KEY`, such as `MYELIN_SERVER__NAME=example.org`,
4. the command line: `--set section.key=value`.

An unknown or misplaced key, a wrong type or a value out of range stops the start, with the file, the line and the
nearest known key. `myelin config check` says so without starting, and warns of what is probably not meant so.
`myelin config show` prints what is in effect and where each value comes from. `myelin config schema` prints a JSON
Schema for editors.

**Secrets.** A key marked *secret* is never shown. It may stand in a file of its own: instead of `url = "..."` write
`url_file = "/path/to/file"`.

**Paths.** A relative path in the file is taken from the file's folder; on the command line and in the environment, from
the working directory.

**Durations** are in milliseconds and **sizes** in bytes unless the key's name says otherwise (`_mib`, `_kib`).
"""


# An upper bound this high only keeps numbers storable; it says nothing to a reader.
_NO_BOUND = 10**11


def reference() -> str:
    """The page, in Markdown."""
    return _HEAD + "".join(_section(name) for name in sections())


def _section(name: str) -> str:
    head = f"\n## [{name}]\n\n{sections()[name].__doc__}\n\n| key | type | default | meaning |\n|---|---|---|---|\n"
    return head + "".join(_row(key) for key in known_keys().values() if key.section == name)


def _row(key: Key) -> str:
    cells = (f"`{key.name}`", ", ".join(_type(key)), f"`{toml_value(key.default)}`", key.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _type(key: Key) -> Iterator[str]:
    yield type_in_words(key.type)
    low, high = key.bounds
    if low is not None:
        yield f"at least {low}" if high is None or high >= _NO_BOUND else f"{low} to {high}"
    if key.is_marked("secret"):
        yield "secret"


if __name__ == "__main__":
    sys.stdout.write(reference())
