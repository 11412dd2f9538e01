"""Which language a visitor reads, and the pages' words in it."""

from functools import lru_cache
from pathlib import Path

DEFAULT = "en"
LANGUAGES = ("en", "it")
TEXTS = Path(__file__).parent / "texts"
MAX_HEADER_CHARACTERS = 500


def language_of(accept_language: str) -> str:
    """The best of our languages for an Accept-Language header (RFC 9110, section 12.5.4)."""
    wishes: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:MAX_HEADER_CHARACTERS].split(",")):
        tag, _, quality = part.partition(";")
        name = tag.strip().lower().partition("-")[0]
        weight = _weight(quality.strip())
        if name in LANGUAGES and weight > 0:
            wishes.append((-weight, place, name))
    return min(wishes)[2] if wishes else DEFAULT


@lru_cache(maxsize=len(LANGUAGES))
def words(language: str) -> dict[str, str]:
    """The translations of a language by their English words; English has none."""
    path = TEXTS / f"{language}.po"
    if not path.is_file():
        return {}
    from babel.messages.pofile import read_po  # loaded with the first page in another language

    with path.open("rb") as file:
        catalog = read_po(file, locale=language)
    return {str(message.id): str(message.string) for message in catalog if message.id and message.string}


def translate(language: str, text: str) -> str:
    """A text in a language; in English where it is not translated."""
    return words(language).get(text, text)


def _weight(quality: str) -> float:
    if not quality:
        return 1.0
    name, _, value = quality.partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
