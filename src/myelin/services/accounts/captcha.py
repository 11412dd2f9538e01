"""Puzzles that programs fail at (`m.login.recaptcha`): a service shows them, and checks the answers for this server.

reCAPTCHA, hCaptcha and Turnstile speak alike: the secret, the answer and the user's address as a form, `success` as
JSON.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
import structlog

from myelin.config.sections.identity import Captcha
from myelin.http.client import HttpClient, RequestFailed

STAGE = "m.login.recaptcha"
MAX_RESPONSE_CHARACTERS = 8192
MAX_ANSWER_BYTES = 65_536
OK = 200
SITEVERIFY = {
    "recaptcha": "https://www.google.com/recaptcha/api/siteverify",
    "hcaptcha": "https://api.hcaptcha.com/siteverify",
    "turnstile": "https://challenges.cloudflare.com/turnstile/v0/siteverify",
}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

_log = structlog.get_logger("myelin.accounts")


class CaptchaUnavailable(Exception):
    """The service that checks answers does not answer itself."""


class Captchas:
    """Has answers checked."""

    def __init__(self, config: Captcha, client: HttpClient) -> None:
        self._secret = config.private_key
        self._url = config.siteverify_url or SITEVERIFY[config.widget]
        self._timeout_s = config.timeout_ms / 1000
        self._client = client
        self.config = config

    async def is_solved(self, response: str, address: str) -> bool:
        """Whether the answer is right, given from that address. Raises CaptchaUnavailable."""
        form = {"secret": self._secret, "response": response, "remoteip": address}
        try:
            answer = await self._client.request(
                "POST",
                self._url,
                timeout_s=self._timeout_s,
                max_bytes=MAX_ANSWER_BYTES,
                body=urlencode(form).encode(),
                headers=_FORM,
            )
            value: Any = orjson.loads(answer.body)
        except (RequestFailed, orjson.JSONDecodeError) as error:
            _log.warning("a captcha could not be checked", reason=str(error))
            raise CaptchaUnavailable from error
        if answer.status != OK or not isinstance(value, Mapping):
            _log.warning("a captcha could not be checked", status=answer.status)
            raise CaptchaUnavailable
        return value.get("success") is True
