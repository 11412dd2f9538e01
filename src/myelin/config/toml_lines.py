"""On which line of a TOML file each key stands, which `tomllib` does not tell.

The text must be valid TOML (`tomllib` has read it): what this scanner need not understand, it skips.
"""

import re
import tomllib
from bisect import bisect_right

# Names of tables and keys; the numbers count the elements of arrays.
KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)


def toml_lines(text: str) -> dict[KeyPath, int]:
    """The line (from 1) where each table, key and array element of the document first stands."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_starts = [0, *(newline.end() for newline in re.finditer("\n", text))]
        self._lines: dict[KeyPath, int] = {}
        self._array_lengths: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._key_and_value(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> KeyPath:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        line = self._line()
        self._at += brackets
        names = self._key()
        self._at += brackets
        table = self._in_arrays(names[:-1])
        if brackets == 2:
            index = self._array_lengths.get((*table, names[-1]), 0)
            self._array_lengths[(*table, names[-1])] = index + 1
            table = (*table, names[-1], index)
        else:
            table = self._in_arrays(names)
        self._note(table, line)
        return table

    def _in_arrays(self, names: list[str]) -> KeyPath:
        """The table of that name, in the newest element of each array of tables on the way."""
        path: KeyPath = ()
        for name in names:
            path = (*path, name)
            if path in self._array_lengths:
                path = (*path, self._array_lengths[path] - 1)
        return path

    def _key_and_value(self, table: KeyPath) -> None:
        line = self._line()
        path = (*table, *self._key())
        self._note(path, line)
        self._skip(_SPACE)
        self._at += 1  # the equals sign
        self._value(path)

    def _key(self) -> list[str]:
        names = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                names.append(tomllib.loads(f"key = {self._skip(_STRING)}")["key"])
            else:
                names.append(self._skip(_BARE_KEY))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        self._skip(_SPACE)
        match self._text[self._at]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_BARE_VALUE)

    def _array(self, path: KeyPath) -> None:
        index = 0
        while self._more("]"):
            self._note((*path, index), self._line())
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        while self._more("}"):
            self._key_and_value(path)

    def _more(self, end: str) -> bool:
        """Step over the opening bracket or the comma; False, and past the end, when nothing follows."""
        self._skip(_BLANK)
        if self._text[self._at] != end:
            self._at += 1
            self._skip(_BLANK)
        if self._text[self._at] == end:
            self._at += 1
            return False
        return True

    def _note(self, path: KeyPath, line: int) -> None:
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], line)

    def _line(self) -> int:
        return bisect_right(self._line_starts, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"not valid TOML at offset {self._at}")
        self._at = match.end()
        return match.group()
