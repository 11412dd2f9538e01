"""The pages on which several steps end when they cannot go on."""

from aiohttp import web

from myelin.auth.browser.visitor import Visitor
from myelin.auth.pages.rendering import Pages


def rejected(pages: Pages, visitor: Visitor) -> web.Response:
    """A form came from somewhere else, or too late."""
    return pages.show("rejected", visitor.language, "That did not work", status=403)


def too_late(pages: Pages, visitor: Visitor) -> web.Response:
    """What the page was for is over."""
    return pages.show("too_late", visitor.language, "Too late", status=404)
