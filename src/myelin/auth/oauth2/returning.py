"""Sending the browser back to the client with an answer (RFC 6749, 4.1.2; response modes; RFC 9207)."""

from html import escape
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from myelin.auth.oauth2.authorization_request import ReturnAddress
from myelin.http.page import page

FORM_SCRIPT = 'document.getElementById("back").submit();'


class Returning:
    """Answers clients by way of the browser; every answer names this issuer."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def with_code(self, back: ReturnAddress, code: str) -> web.Response:
        """The user has agreed."""
        return self._answer(back, {"code": code})

    def with_error(self, back: ReturnAddress, code: str, description: str) -> web.Response:
        """The user has not, or could not be asked."""
        return self._answer(back, {"error": code, "error_description": description})

    def _answer(self, back: ReturnAddress, values: dict[str, str]) -> web.Response:
        if back.state is not None:
            values["state"] = back.state
        values["iss"] = self._issuer
        if back.response_mode == "form_post":
            return _form(back.redirect_uri, values)
        headers = {"Location": _with(back, values), "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return web.Response(status=303, headers=headers)


def origin_of(uri: str) -> str:
    """What a form's policy must allow so that the browser may be sent there."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def _with(back: ReturnAddress, values: dict[str, str]) -> str:
    answer = urlencode(values)
    if back.response_mode == "fragment":
        return f"{back.redirect_uri}#{answer}"
    return f"{back.redirect_uri}{'&' if '?' in back.redirect_uri else '?'}{answer}"


def _form(uri: str, values: dict[str, str]) -> web.Response:
    fields = "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in values.items()
    )
    body = f'<form id="back" method="post" action="{escape(uri)}">\n{fields}\n<button>Continue</button>\n</form>'
    return page("Back to your app", body, script=FORM_SCRIPT, form_targets=(origin_of(uri),))
