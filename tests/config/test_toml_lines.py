"""The scanner finds each key on its line, in every way that TOML lets it be written."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from myelin.config.toml_lines import KeyPath, toml_lines
from myelin.config.toml_values import toml_value

EVERYTHING = '''# a comment with [brackets] and = signs
top = 1
"quo.ted".'k"ey' = "a # no comment"
text = """
not = "a key"
[not.a.table]
\\""" still """
raw = \'\'\'
x = 1\'\'\'\'
[server] # after a header
name = "x"
listen = [ "a", # one
  # nothing here = 2

  "b",
]
[ a . "b c" ]
one.two.three = { x = 1, y.z = "}", w = [ { v = ']' } ] }
empty = {}
none = []
[[list]]
n = 1
[[list]]
n = 2
[list.sub]
date = 1979-05-27T07:32:00Z
[[list.deep]]
p = 1
last = -1e5'''


def test_each_key_is_on_its_line():
    tomllib.loads(EVERYTHING)
    lines = toml_lines(EVERYTHING)
    expected: dict[KeyPath, int] = {
        ("top",): 2,
        ("quo.ted",): 3,
        ("quo.ted", 'k"ey'): 3,
        ("text",): 4,
        ("raw",): 8,
        ("server",): 10,
        ("server", "name"): 11,
        ("server", "listen"): 12,
        ("server", "listen", 0): 12,
        ("server", "listen", 1): 15,
        ("a",): 17,
        ("a", "b c"): 17,
        ("a", "b c", "one"): 18,
        ("a", "b c", "one", "two"): 18,
        ("a", "b c", "one", "two", "three"): 18,
        ("a", "b c", "one", "two", "three", "x"): 18,
        ("a", "b c", "one", "two", "three", "y"): 18,
        ("a", "b c", "one", "two", "three", "y", "z"): 18,
        ("a", "b c", "one", "two", "three", "w"): 18,
        ("a", "b c", "one", "two", "three", "w", 0): 18,
        ("a", "b c", "one", "two", "three", "w", 0, "v"): 18,
        ("a", "b c", "empty"): 19,
        ("a", "b c", "none"): 20,
        ("list",): 21,
        ("list", 0): 21,
        ("list", 0, "n"): 22,
        ("list", 1): 23,
        ("list", 1, "n"): 24,
        ("list", 1, "sub"): 25,
        ("list", 1, "sub", "date"): 26,
        ("list", 1, "deep"): 27,
        ("list", 1, "deep", 0): 27,
        ("list", 1, "deep", 0, "p"): 28,
        ("list", 1, "deep", 0, "last"): 29,
    }
    assert lines == expected


def test_windows_line_ends_count_once():
    assert toml_lines("a = 1\r\n\r\nb = 2\r\n") == {("a",): 1, ("b",): 3}


def test_only_newlines_end_a_line():
    assert toml_lines('a = "\u2028"\nb = 1') == {("a",): 1, ("b",): 2}


names = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=5)
values = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names.filter(str.isalnum), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(names, values, max_size=6))
def test_a_key_a_line_for_any_document(tree: dict[str, Any]):
    text = "".join(f"{toml_value(name)} = {toml_value(value)}\n" for name, value in tree.items())
    assert tomllib.loads(text) == tree
    lines = toml_lines(text)
    assert {path[0]: line for path, line in lines.items() if len(path) == 1} == {
        name: number for number, name in enumerate(tree, start=1)
    }
    assert set(lines.values()) <= set(range(1, len(tree) + 1))
