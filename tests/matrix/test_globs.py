"""Glob matching agrees with the definition, whatever the pattern, and stays cheap."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myelin.matrix.globs import (
    GlobSet,
    contains_words,
    has_wildcard,
    is_word,
    longest_literal,
)

PATTERNS = st.text("ab_-*?", max_size=7)
TEXTS = st.text("ab_- ", max_size=10)


def matches(pattern: str, text: str) -> bool:
    return GlobSet([pattern]).matches(text) != 0


def matches_words(pattern: str, text: str) -> bool:
    return GlobSet([pattern]).matches_words(text) != 0


def as_expression(pattern: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("lunc?*", "lunch plans", True),
        ("lunc?*", "lunch", True),
        ("lunc?*", " lunch", False),
        ("lunc?*", "lunc", False),
        ("*", "", True),
        ("?", "", False),
        ("", "", True),
        ("", "a", False),
        ("a.c", "abc", False),
        ("a**b", "ab", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
    ],
)
def test_the_whole_text_is_matched(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("ex*ple", "an example event.", True),
        ("ex*ple", "exple", True),
        ("ex*ple", "an exciting triple-whammy", True),
        ("ex*ple", "examples", False),
        ("ex*ple", "an example_event", False),
        ("cake", "cake", True),
        ("cake", "cakes", False),
        ("cake", "(cake)", True),
        ("cake", "pan-cake", True),
        ("cake", "caké cake", True),
        ("cak", "caké", True),
        ("c++", "use c++ here", True),
        ("@room", "hi@room", True),
        ("", "word", True),
        ("a*", "bab", False),
        ("*", "", True),
    ],
)
def test_words_are_bounded_by_anything_but_letters_digits_and_underscores(
    pattern: str, text: str, expected: bool
) -> None:
    assert matches_words(pattern, text) is expected


@given(PATTERNS, TEXTS)
def test_matching_agrees_with_a_regular_expression(pattern: str, text: str) -> None:
    assert matches(pattern, text) == (re.fullmatch(as_expression(pattern), text, re.DOTALL) is not None)


@given(PATTERNS, TEXTS)
def test_matching_words_agrees_with_a_regular_expression(pattern: str, text: str) -> None:
    edge = r"(?:(?<![A-Za-z0-9_])|(?![A-Za-z0-9_]))"
    expression = edge + as_expression(pattern) + edge
    assert matches_words(pattern, text) == (re.search(expression, text, re.DOTALL) is not None)


@given(st.text("ab_-", max_size=4), TEXTS)
def test_literal_words_are_found_as_globs_are(words: str, text: str) -> None:
    assert contains_words(text, words) == matches_words(words, text)


@given(st.lists(PATTERNS, max_size=6), TEXTS)
def test_patterns_of_a_set_do_not_disturb_each_other(patterns: list[str], text: str) -> None:
    globs = GlobSet(patterns)
    for pattern, bit in zip(patterns, globs.accepting, strict=True):
        assert (globs.matches(text) & bit != 0) == matches(pattern, text)
        assert (globs.matches_words(text) & bit != 0) == matches_words(pattern, text)


@given(PATTERNS, TEXTS)
def test_a_text_that_matches_contains_the_longest_literal(pattern: str, text: str) -> None:
    if matches(pattern, text) or matches_words(pattern, text):
        assert longest_literal(pattern) in text


def test_the_question_mark_can_be_an_ordinary_character() -> None:
    globs = GlobSet(["a?c*"], any_char=None)
    assert globs.matches("a?cd")
    assert not globs.matches("abcd")


@pytest.mark.parametrize(("pattern", "expected"), [("a*", True), ("a?", True), ("a", False), ("", False)])
def test_wildcards_are_recognised(pattern: str, expected: bool) -> None:
    assert has_wildcard(pattern) is expected


@pytest.mark.parametrize(("pattern", "word"), [("Word_1", True), ("two words", False), ("café", False), ("", False)])
def test_single_words_are_recognised(pattern: str, word: bool) -> None:
    assert is_word(pattern) is word


def test_a_pattern_made_to_backtrack_costs_no_more_than_others() -> None:
    hostile = GlobSet(["*a" * 120 + "b"])
    started = time.process_time()
    assert not hostile.matches("a" * 60_000)
    assert not hostile.matches_words("a " * 30_000)
    assert time.process_time() - started < 2
