"""A page for people: readable in light and dark and on a phone, and unable to load or send anything elsewhere."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape

from aiohttp import web

_STYLE = """
:root { color-scheme: light dark; --text: #17191c; --muted: #525a66; --page: #f5f6f8; --card: #fff; --line: #c3c9d2;
  --accent: #0b5fcc; --on-accent: #fff; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #f0f2f5; --muted: #aab2bf; --page: #121417; --card: #1c2025;
  --line: #4a525e; --accent: #7db4ff; --on-accent: #0a1a30; --bad: #ff9a91; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--page);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: 1.5rem; }
h1 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 .75rem; }
p { margin: 0 0 1rem; color: var(--muted); overflow-wrap: anywhere; }
a { color: var(--accent); }
form + p { margin-top: 1rem; }
main > :last-child { margin-bottom: 0; }
label { display: block; margin: 0 0 .25rem; font-weight: 600; }
input { width: 100%; min-height: 2.75rem; padding: .5rem .75rem; margin: 0 0 1rem; font: inherit; color: inherit;
  background: var(--page); border: 1px solid var(--muted); border-radius: .5rem; }
button { width: 100%; min-height: 2.75rem; padding: .5rem 1rem; font: inherit; font-weight: 600; cursor: pointer;
  color: var(--on-accent); background: var(--accent); border: 0; border-radius: .5rem; }
a.button { display: block; padding: .6rem 1rem; margin: 0 0 .75rem; font-weight: 600; text-align: center;
  text-decoration: none; color: var(--on-accent); background: var(--accent); border-radius: .5rem; }
button:disabled { opacity: .6; cursor: progress; }
button.second { color: var(--text); background: transparent; border: 1px solid var(--muted); }
button + button { margin-top: .75rem; }
h2 { font-size: 1.1rem; line-height: 1.25; margin: 1.5rem 0 .75rem; }
p strong { color: var(--text); }
.code { font: 600 1.75rem/1.25 ui-monospace, monospace; letter-spacing: .1em; text-align: center; color: var(--text); }
.check { display: flex; gap: .5rem; align-items: center; }
.check input { width: 1.25rem; min-height: 1.25rem; margin: 0; flex: none; }
.check label { margin: 0; font-weight: 400; color: var(--text); }
.list { list-style: none; margin: 0 0 1rem; padding: 0; }
.list li { border-top: 1px solid var(--line); padding: .75rem 0; }
.list p { margin: 0 0 .5rem; }
.foot { margin-top: 1.5rem; font-size: .875rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
[role=alert] { color: var(--bad); font-weight: 600; }
[role=alert]:empty { display: none; }
"""


def page(
    title: str,
    body: str,
    *,
    script: str = "",
    status: int = 200,
    language: str = "en",
    sources: Mapping[str, str] | None = None,
    form_targets: Sequence[str] = (),
    loaded: str = "",
) -> web.Response:
    """An HTML answer; `body` and `script` are the caller's own text, with whatever came from outside escaped.

    `loaded` is a script elsewhere, run after the page's own; `sources` are what the policy lets in, by directive;
    `form_targets` are origins or schemes that a form may lead to beside this server.
    """
    scripted = f"<script>{script}</script>" if script else ""
    if loaded:
        scripted += f'\n<script src="{escape(loaded)}" async defer></script>'
    text = (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="robots" content="noindex">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n{scripted}\n</body>\n</html>\n"
    )
    headers = {
        "Content-Security-Policy": _policy(script, sources or {}, form_targets),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        # Whoever's script is loaded asks which site it is on, and hears no more than that.
        "Referrer-Policy": "strict-origin" if sources else "no-referrer",
        "Cache-Control": "no-store",
    }
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=headers)


def _policy(script: str, sources: Mapping[str, str], form_targets: Sequence[str]) -> str:
    """Only this page's own style and script run, whatever is in its text, and what the caller lets in by name."""
    own = {
        "default-src": "'none'",
        "style-src": _digest(_STYLE),
        "script-src": _digest(script) if script else "'none'",
        "connect-src": "'self'",
    }
    directives = {**own, **{name: f"{own[name]} {more}" if name in own else more for name, more in sources.items()}}
    listed = "; ".join(f"{name} {value}" for name, value in directives.items())
    return f"{listed}; form-action {_sources(form_targets)}; base-uri 'none'; frame-ancestors 'none'"


def _sources(extra: Sequence[str]) -> str:
    """This server and others; what could end the directive is left out, and with it what it would have allowed."""
    return " ".join(["'self'", *(source for source in extra if not set(source) & set("; ,'\"\t\r\n"))])


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
