"""Pages for clients that do not know a step of an authentication (spec: "Fallback" and "Login Fallback")."""

from urllib.parse import parse_qsl

import msgspec

from myelin.api.client.fallback_forms import ANSWER_FIELDS, REGISTRATION_FIELDS, captcha_form, form, terms_form
from myelin.api.client.sso_pages import confirmation, refused, with_cookie
from myelin.config.sections.accounts import Policy
from myelin.config.sections.identity import Captcha
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.page import page
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.matrix.errors import InvalidParam, MatrixError, NotFound
from myelin.services.accounts.captcha import STAGE as CAPTCHA_STAGE
from myelin.services.accounts.registration_tokens import STAGE as TOKEN_STAGE
from myelin.services.accounts.uia import InteractiveAuth
from myelin.services.accounts.uia_stages import DUMMY_STAGE, SSO_STAGE, TERMS_STAGE, StageFailed
from myelin.services.sso.confirming import SsoConfirming

endpoints = Endpoints(group="login", auth=Auth.NONE)

MAX_FORM_BYTES = 16_384
MAX_FORM_FIELDS = 10
DONE = """if (window.onAuthDone) {
    window.onAuthDone();
} else if (window.opener && window.opener.postMessage) {
    window.opener.postMessage("authDone", "*");
}"""


class SessionQuery(msgspec.Struct, frozen=True):
    """Which authentication."""

    session: str


class FallbackSettings(msgspec.Struct, frozen=True):
    """What the pages show of the configuration, each only where the step exists."""

    captcha: Captcha
    policies: tuple[Policy, ...]

    @property
    def stages(self) -> frozenset[str]:
        """The stages that a form can pass."""
        more = [CAPTCHA_STAGE] if self.captcha.public_key else []
        return frozenset({DUMMY_STAGE, TOKEN_STAGE, *more, *([TERMS_STAGE] if self.policies else [])})


@endpoints.endpoint("GET /_matrix/client/v3/auth/{auth_type}/fallback/web", limit="general")
async def show_auth_fallback(
    uia: InteractiveAuth, settings: FallbackSettings, confirming: SsoConfirming, auth_type: str, query: SessionQuery
) -> Response:
    """Show the page of a stage."""
    if auth_type == SSO_STAGE and confirming.providers:
        return await _show_sso(confirming, query.session)
    _check_stage(settings, auth_type)
    if not await uia.is_open(query.session):
        return _expired()
    return _form(settings, auth_type, query.session)


@endpoints.endpoint("POST /_matrix/client/v3/auth/{auth_type}/fallback/web", limit="registration_token")
async def take_auth_fallback(
    request: Request, uia: InteractiveAuth, settings: FallbackSettings, auth_type: str
) -> Response:
    """Take what the page's form says, and tell the client that waits for it."""
    _check_stage(settings, auth_type)
    given = _parse(await request.body(MAX_FORM_BYTES))
    session = given.get("session", "")
    answer = {**given, "response": next((given[name] for name in ANSWER_FIELDS if given.get(name)), "")}
    try:
        await uia.pass_stage(session, auth_type, answer, request.client_address)
    except NotFound:
        return _expired()
    except StageFailed as failure:
        return _form(settings, auth_type, session, problem=failure.message)
    return done()


def done() -> Response:
    """The page that tells the client that a step is taken."""
    return page("Done", "<p>You can close this page and go back to your app.</p>", script=DONE)


async def _show_sso(confirming: SsoConfirming, session: str) -> Response:
    """What is to be confirmed, and where to sign in for it."""
    try:
        asked = await confirming.asked(session)
    except NotFound:
        return _expired()
    except MatrixError as error:
        return refused(error)
    response = confirmation(asked.wanted, asked.user_id, asked.provider, asked.departure)
    return with_cookie(response, asked.departure.cookie, is_secure=confirming.is_secure)


@endpoints.endpoint("GET /_matrix/static/client/login/", limit="general")
async def show_login_fallback() -> Response:
    """Show a page that signs in for a client, and hands it the answer."""
    return page("Sign in", LOGIN_FORM, script=LOGIN_SCRIPT)


def _check_stage(settings: FallbackSettings, auth_type: str) -> None:
    if auth_type not in settings.stages:
        raise NotFound("There is no page for this step")


def _form(settings: FallbackSettings, auth_type: str, session: str, *, problem: str = "") -> Response:
    if auth_type == CAPTCHA_STAGE:
        return captcha_form(settings.captcha, session, problem=problem)
    if auth_type == TERMS_STAGE:
        return terms_form(settings.policies, session)
    if auth_type == TOKEN_STAGE:
        return form("Enter your registration token", session, REGISTRATION_FIELDS, problem=problem)
    return form("Continue", session, "<p>Nothing more is needed. Continue to go back to your app.</p>")


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
