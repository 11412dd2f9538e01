"""The configuration in effect, with secrets masked and the origin of what is not a default."""

from collections.abc import Iterator

from myelin.config.known_keys import Key, known_keys, sections
from myelin.config.load import Loaded
from myelin.config.toml_values import toml_value

MASK = "********"


def show(loaded: Loaded) -> str:
    """TOML with one comment a value that was set: where it was."""
    return "\n".join("\n".join(_section(loaded, name)) for name in sections())


def _section(loaded: Loaded, name: str) -> Iterator[str]:
    yield f"[{name}]"
    for key in known_keys().values():
        if key.section == name:
            yield _line(loaded, key)
    yield ""


def _line(loaded: Loaded, key: Key) -> str:
    value = getattr(getattr(loaded.config, key.section), key.name)
    if key.is_marked("secret") and value:
        value = masked(value)
    origins = [str(origin) for path, origin in loaded.origins.items() if path[:2] == (key.section, key.name)]
    comment = f"  # {', '.join(dict.fromkeys(origins))}" if origins else ""
    return f"{key.name} = {toml_value(value)}{comment}"


def masked(secret: str) -> str:
    """The secret without what must not be seen: of an address the password, of anything else all."""
    scheme, has_scheme, rest = secret.partition("://")
    if not has_scheme:
        return MASK
    # The part after the question mark may hold a password too.
    place, has_query, _ = rest.partition("?")
    credentials, has_credentials, host = place.rpartition("@")
    user, has_password, _ = credentials.partition(":")
    shown = f"{user}:{MASK}@" if has_password else f"{MASK}@" if has_credentials else ""
    return f"{scheme}://{shown}{host}" + (f"?{MASK}" if has_query else "")
