"""What the pages of the steps of an authentication ask for (spec: "Fallback")."""

from collections.abc import Mapping
from html import escape

import msgspec

from myelin.config.sections.accounts import Policy
from myelin.config.sections.identity import Captcha
from myelin.http.page import page
from myelin.http.response import Response

REGISTRATION_FIELDS = (
    "<p>Whoever runs this server gives out tokens to those who may make an account.</p>\n"
    '<label for="token">Registration token</label>\n<input id="token" name="token" required autofocus '
    'maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="problem">'
)
ANSWER_FIELDS = ("g-recaptcha-response", "h-captcha-response", "cf-turnstile-response")
"""Fields in which the widgets put the answer."""


class Widget(msgspec.Struct, frozen=True):
    """How a service's puzzle gets into a page, and what the page's policy must let in for it."""

    script: str
    css_class: str
    sources: Mapping[str, str]


_GOOGLE = "https://www.google.com/recaptcha/"
_HCAPTCHA = "https://hcaptcha.com https://*.hcaptcha.com"
_CLOUDFLARE = "https://challenges.cloudflare.com"
WIDGETS: Mapping[str, Widget] = {
    "recaptcha": Widget(
        f"{_GOOGLE}api.js",
        "g-recaptcha",
        {
            "script-src": f"{_GOOGLE} https://www.gstatic.com/recaptcha/",
            "frame-src": f"{_GOOGLE} https://recaptcha.google.com/recaptcha/",
            "connect-src": _GOOGLE,
        },
    ),
    "hcaptcha": Widget(
        "https://js.hcaptcha.com/1/api.js",
        "h-captcha",
        {"script-src": _HCAPTCHA, "frame-src": _HCAPTCHA, "style-src": _HCAPTCHA, "connect-src": _HCAPTCHA},
    ),
    "turnstile": Widget(
        f"{_CLOUDFLARE}/turnstile/v0/api.js",
        "cf-turnstile",
        {"script-src": _CLOUDFLARE, "frame-src": _CLOUDFLARE, "connect-src": _CLOUDFLARE},
    ),
}
# Runs before the service's own script, which reads the theme from the element.
CAPTCHA_SCRIPT = """
const widget = document.getElementById("captcha"), button = document.querySelector("button");
widget.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
button.disabled = true;
window.captchaSolved = () => { button.disabled = false; };
window.captchaExpired = () => { button.disabled = true; };
"""


def form(title: str, session: str, fields: str, *, problem: str = "", button: str = "Continue") -> Response:
    """The page of a step whose fields are plain."""
    return page(title, _form(session, fields, problem, button), status=400 if problem else 200)


def captcha_form(config: Captcha, session: str, *, problem: str = "") -> Response:
    """The page with the puzzle of the service that is configured."""
    widget = WIDGETS[config.widget]
    fields = (
        "<p>Show that you are no program.</p>\n"
        f'<div id="captcha" class="{widget.css_class}" data-sitekey="{escape(config.public_key)}" '
        'data-callback="captchaSolved" data-expired-callback="captchaExpired"></div>\n'
        "<noscript><p>This step needs JavaScript.</p></noscript>"
    )
    return page(
        "Are you a person?",
        _form(session, fields, problem, "Continue"),
        script=CAPTCHA_SCRIPT,
        status=400 if problem else 200,
        sources=widget.sources,
        loaded=widget.script,
    )


def terms_form(policies: tuple[Policy, ...], session: str) -> Response:
    """The page with the documents to agree to."""
    listed = "".join(
        f'<li><a href="{escape(policy.url)}" target="_blank" rel="noreferrer noopener">{escape(policy.name)}</a></li>\n'
        for policy in policies
    )
    fields = f"<p>To make an account you agree to these documents:</p>\n<ul>\n{listed}</ul>"
    return form("Do you agree?", session, fields, button="I agree")


def _form(session: str, fields: str, problem: str, button: str) -> str:
    return (
        f'<form method="post">\n<input type="hidden" name="session" value="{escape(session)}">\n'
        f'{fields}\n<p id="problem" role="alert">{escape(problem)}</p>\n<button>{button}</button>\n</form>'
    )
