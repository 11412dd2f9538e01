"""What a misspelt or misplaced key was probably meant to be."""

from difflib import get_close_matches

from myelin.config.known_keys import known_keys, sections

# How alike names must be to be suggested: within the section a slip is likely, elsewhere it must be nearly the name.
_ALIKE_HERE = 0.6
_ALIKE_ELSEWHERE = 0.8


def unknown_section(name: str) -> str:
    """Why the top-level name is wrong, and what to write instead."""
    if near := get_close_matches(name, sections(), 1, _ALIKE_HERE):
        return f"there is no section [{name}]; did you mean [{near[0]}]?"
    return f"there is no section [{name}]; the sections are {', '.join(sections())}"


def unknown_key(section: str | None, name: str) -> str:
    """Why the key is wrong in that section (None: above all sections), and what to write instead."""
    here = f"{section}.{name}" if section else name
    if homes := [key.section for key in known_keys().values() if _is_named(key.dotted, name)]:
        return f"{here} is misplaced; {name} belongs in {' or '.join(f'[{home}]' for home in homes)}"
    if section and (near := get_close_matches(name, _names(section), 1, _ALIKE_HERE)):
        return f"{here} is not a known key; did you mean {section}.{near[0]}?"
    everywhere = {key.name: key.dotted for key in known_keys().values()}
    if near := get_close_matches(name, everywhere, 1, _ALIKE_ELSEWHERE):
        return f"{here} is not a known key; did you mean {everywhere[near[0]]}?"
    return f"{here} is not a known key" + (f"; [{section}] has {', '.join(_names(section))}" if section else "")


def unknown_field(key: str, name: str, names: tuple[str, ...]) -> str:
    """Why the name is wrong in a table within a section, and what to write instead."""
    if near := get_close_matches(name, names, 1, _ALIKE_HERE):
        return f"{key}.{name} is not a known key; did you mean {key}.{near[0]}?"
    what_it_is = f"has {', '.join(names)}" if names else "is not a table"
    return f"{key}.{name} is not a known key; {key} {what_it_is}"


def _names(section: str) -> list[str]:
    return [key.name for key in known_keys().values() if key.section == section]


def _is_named(dotted: str, name: str) -> bool:
    key = known_keys()[dotted]
    return name == key.name or (key.is_marked("secret") and name == f"{key.name}_file")
