"""Every word of the pages is there in every language."""

import re
from pathlib import Path

import pytest

import myelin.auth
from myelin.auth.pages.languages import LANGUAGES, words

HOUSE = Path(myelin.auth.__file__).parent
IN_TEMPLATES = re.compile(r'_\("([^"]+)"\)')
SHOWN = re.compile(r"pages\.show\((.*?)\n? *\)", re.DOTALL)
TEXT = re.compile(r'"([A-Z][^"]* [^"]*)"')


def texts() -> set[str]:
    found = {text for path in HOUSE.rglob("*.html") for text in IN_TEMPLATES.findall(path.read_text())}
    for path in (HOUSE / "endpoints").glob("*.py"):
        for call in SHOWN.findall(path.read_text()):
            found |= set(TEXT.findall(call))
    for path in (HOUSE / "account").glob("*.py"):
        found |= set(re.findall(r'(?:SignIn|Step)Failed\("([^"]+)"\)', path.read_text()))
    return found


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_nothing_is_left_in_english(language: str) -> None:
    assert len(texts()) > 30
    assert texts() - words(language).keys() == set()
