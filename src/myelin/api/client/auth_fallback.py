"""Pages for clients that do not know a step of an authentication (spec: "Fallback" and "Login Fallback")."""

from html import escape
from urllib.parse import parse_qsl

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.page import page
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.matrix.errors import InvalidParam, MatrixError, NotFound
from myelin.services.accounts.uia import InteractiveAuth
from myelin.services.accounts.uia_stages import StageFailed

endpoints = Endpoints(group="login", auth=Auth.NONE)

TITLES = {"m.login.dummy": "Continue", "m.login.registration_token": "Enter your registration token"}
"""The stages that a page can pass; the others need a device or a page of their own."""
MAX_FORM_BYTES = 16_384
MAX_FORM_FIELDS = 10
DONE = """if (window.onAuthDone) {
    window.onAuthDone();
} else if (window.opener && window.opener.postMessage) {
    window.opener.postMessage("authDone", "*");
}"""
_FIELDS = {
    "m.login.dummy": "<p>Nothing more is needed. Continue to go back to your app.</p>",
    "m.login.registration_token": (
        "<p>Whoever runs this server gives out tokens to those who may make an account.</p>\n"
        '<label for="token">Registration token</label>\n<input id="token" name="token" required autofocus '
        'maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="problem">'
    ),
}


class SessionQuery(msgspec.Struct, frozen=True):
    """Which authentication."""

    session: str


@endpoints.endpoint("GET /_matrix/client/v3/auth/{auth_type}/fallback/web", limit="general")
async def show_auth_fallback(uia: InteractiveAuth, auth_type: str, query: SessionQuery) -> Response:
    """Show the page of a stage."""
    if auth_type not in TITLES:
        raise NotFound("There is no page for this step")
    if not await uia.is_open(query.session):
        return _expired()
    return _form(auth_type, query.session)


@endpoints.endpoint("POST /_matrix/client/v3/auth/{auth_type}/fallback/web", limit="registration_token")
async def take_auth_fallback(request: Request, uia: InteractiveAuth, auth_type: str) -> Response:
    """Take what the page's form says, and tell the client that waits for it."""
    if auth_type not in TITLES:
        raise NotFound("There is no page for this step")
    form = _parse(await request.body(MAX_FORM_BYTES))
    session = form.get("session", "")
    try:
        await uia.pass_stage(session, auth_type, form, request.client_address)
    except NotFound:
        return _expired()
    except StageFailed as failure:
        return _form(auth_type, session, problem=failure.message)
    return page("Done", "<p>You can close this page and go back to your app.</p>", script=DONE)


@endpoints.endpoint("GET /_matrix/static/client/login/", limit="general")
async def show_login_fallback() -> Response:
    """Show a page that signs in for a client, and hands it the answer."""
    return page("Sign in", LOGIN_FORM, script=LOGIN_SCRIPT)


def _form(auth_type: str, session: str, *, problem: str = "") -> Response:
    body = (
        f'<form method="post">\n<input type="hidden" name="session" value="{escape(session)}">\n'
        f'{_FIELDS[auth_type]}\n<p id="problem" role="alert">{escape(problem)}</p>\n<button>Continue</button>\n</form>'
    )
    return page(TITLES[auth_type], body, status=400 if problem else 200)


def _expired() -> Response:
    return page("Too late", "<p>This step has expired or was never begun. Start again in your app.</p>", status=404)


def _parse(body: bytes) -> dict[str, str]:
    try:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS, errors="strict"))
    except (ValueError, MatrixError) as error:
        raise InvalidParam("The form cannot be read") from error
    if any("\0" in value for value in form.values()):
        raise InvalidParam("The form contains NUL")
    return form


LOGIN_FORM = """<form id="login">
<label for="user">User name</label>
<input id="user" name="user" required autofocus autocomplete="username" autocapitalize="none" spellcheck="false">
<label for="password">Password</label>
<input id="password" name="password" type="password" required autocomplete="current-password">
<p id="problem" role="alert"></p>
<button>Sign in</button>
</form>
<p id="done" hidden>You are signed in. You can close this page and go back to your app.</p>
<noscript><p>This page needs JavaScript.</p></noscript>"""
LOGIN_SCRIPT = """
const form = document.getElementById("login"), problem = document.getElementById("problem");
const button = form.querySelector("button");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  problem.textContent = "";
  try {
    const given = Object.fromEntries(new URLSearchParams(location.search));
    const extra = {};
    for (const name of ["device_id", "initial_device_display_name"]) if (name in given) extra[name] = given[name];
    if ("refresh_token" in given) extra.refresh_token = given.refresh_token === "true";
    const response = await fetch("/_matrix/client/v3/login", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({...extra, type: "m.login.password", password: form.password.value,
        identifier: {type: "m.id.user", user: form.user.value}}),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error || "The server refused");
    form.hidden = true;
    document.getElementById("done").hidden = false;
    if (window.matrixLogin && window.matrixLogin.onLogin) window.matrixLogin.onLogin(answer);
    else if (window.onLogin) window.onLogin(answer);
  } catch (error) {
    problem.textContent = error.message;
    form.password.select();
  } finally {
    button.disabled = false;
  }
});
"""
