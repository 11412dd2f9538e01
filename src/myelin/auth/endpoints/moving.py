"""From one page to the next."""

import msgspec
from aiohttp import web

PAGES = "/auth/"


class Then(msgspec.Struct, frozen=True):
    """The query of a page that leads on: where to go afterwards."""

    then: str = ""


def moved(address: str) -> web.Response:
    """Have the browser get another page, whatever it sent to this one."""
    return web.Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})


def page_below(base: str, then: str) -> str | None:
    """The address if it is a page of ours, as it must be before a browser is sent there; else None."""
    path = then.removeprefix(base)
    if not path.startswith(PAGES) or "//" in path or "\\" in path or "/.." in path or not path.isprintable():
        return None
    return base + path
