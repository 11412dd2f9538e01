"""Property paths are taken apart as the spec's appendix says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myelin.matrix.property_paths import parse_property_path


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("content.body", ("content", "body")),
        (r"content.m\.relates_to", ("content", "m.relates_to")),
        (r"content.m\\foo", ("content", "m\\foo")),
        (r"content.\x", ("content", "\\x")),
        (r"content.\\.a", ("content", "\\", "a")),
        (r"content.\\\.a", ("content", "\\.a")),
        ("type", ("type",)),
        ("", ("",)),
        ("a..b", ("a", "", "b")),
        (".", ("", "")),
        ("trailing\\", ("trailing\\",)),
        ("a\\\n.b", ("a\\\n", "b")),
    ],
)
def test_dots_separate_unless_escaped(path: str, parts: tuple[str, ...]) -> None:
    assert parse_property_path(path) == parts


@given(st.lists(st.text(), min_size=1))
def test_any_names_survive_escaping(names: list[str]) -> None:
    path = ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in names)
    assert parse_property_path(path) == tuple(names)
