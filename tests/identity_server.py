"""A scripted identity server: HTTPS on loopback, what it holds in dictionaries, and answers that a test replaces.

It keeps to the Identity Service API v2, and to v1 for phone numbers; it checks access tokens, but no signatures of
homeservers (`tests/peers/test_sydent.py` has a server that does).
"""

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import trustme
from aiohttp import web

from myelin.config.sections.identity import Identity
from myelin.matrix.signing import SigningKey, sign_json
from myelin.matrix.unpadded_base64 import encode_base64_url

TOKEN = "swordfish"
PEPPER = "matrixrocks"
V1, V2 = "/_matrix/identity/api/v1", "/_matrix/identity/v2"
CODE = "123456"

Answer = tuple[int, Any]


class IdentityServer:
    """What a homeserver sees of an identity server."""

    def __init__(self, name: str, authority: Path):
        self.name = name
        self.authority = authority
        self.key = SigningKey.from_seed("0", b"i" * 32)
        self.ephemeral = SigningKey.from_seed("0", b"e" * 32)
        self.algorithms = ["none", "sha256"]
        self.bound: dict[tuple[str, str], str] = {}
        self.validated: dict[str, tuple[str, str]] = {}
        self.texted: dict[str, tuple[str, str]] = {}
        """Sessions of phone numbers: country and number."""
        self.invites: list[dict[str, Any]] = []
        self.display_name = "b...@e..."
        self.seen: list[tuple[str, str, Any]] = []
        self.authorizations: list[str] = []
        self.replaced: dict[str, Callable[[], Answer] | bytes] = {}
        """Answers by the end of the path."""
        self.valid = True

    def config(self, **more: Any) -> Identity:
        """The settings of a homeserver that reaches it."""
        return Identity(deny_private_addresses=False, extra_ca=str(self.authority), **more)

    @property
    def where(self) -> dict[str, str]:
        """How a client names it."""
        return {"id_server": self.name, "id_access_token": TOKEN}

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path.rpartition("/v2/")[2].rpartition("/v1/")[2] for _, path, _ in self.seen]

    def signed(self, user_id: str, token: str, key: SigningKey | None = None, **more: str) -> dict[str, Any]:
        """What it signs when an address becomes a user's."""
        return sign_json({"mxid": user_id, "token": token, **more}, self.name, key or self.key)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        data = await request.read()
        body = orjson.loads(data) if data else {k: v[-1] for k, v in parse_qs(request.rel_url.raw_query_string).items()}
        self.seen.append((request.method, request.path, body))
        self.authorizations.append(request.headers.get("Authorization", ""))
        for end, answer in self.replaced.items():
            if request.path.endswith(end):
                if isinstance(answer, bytes):
                    return web.Response(body=answer)
                status, value = answer()
                return web.json_response(value, status=status)
        is_open = request.path.startswith(V1) or request.path.endswith(("/isvalid", "/unbind"))
        if not is_open and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"errcode": "M_UNAUTHORIZED", "error": "Unauthorized"}, status=401)
        name = request.path.removeprefix(V1).removeprefix(V2)
        status, value = self._answers()[name](body)
        return web.json_response(value, status=status)

    def _answers(self) -> dict[str, Callable[[Any], Answer]]:
        return {
            "/hash_details": lambda _: (200, {"algorithms": self.algorithms, "lookup_pepper": PEPPER}),
            "/lookup": self._lookup,
            "/store-invite": self._store_invite,
            "/3pid/bind": self._bind,
            "/3pid/unbind": self._unbind,
            "/pubkey/isvalid": lambda _: (200, {"valid": self.valid}),
            "/validate/msisdn/requestToken": self._text,
            "/validate/msisdn/submitToken": self._submit,
            "/3pid/getValidated3pid": self._validated,
        }

    def _lookup(self, body: Any) -> Answer:
        if body["pepper"] != PEPPER:
            return 400, {"errcode": "M_INVALID_PEPPER", "error": "changed"}
        known = {}
        for (medium, address), user_id in self.bound.items():
            plain = f"{address} {medium}"
            hashed = encode_base64_url(sha256(f"{plain} {PEPPER}".encode()).digest())
            known[plain if body["algorithm"] == "none" else hashed] = user_id
        return 200, {"mappings": {asked: known[asked] for asked in body["addresses"] if asked in known}}

    def _store_invite(self, body: Any) -> Answer:
        self.invites.append(body)
        url = f"https://{self.name}{V2}/pubkey/isvalid"
        keys = [key.verify_key.to_base64() for key in (self.key, self.ephemeral)]
        public_keys = [{"public_key": key, "key_validity_url": url} for key in keys]
        token = f"token{len(self.invites)}"
        return 200, {"token": token, "public_keys": public_keys, "display_name": self.display_name}

    def _bind(self, body: Any) -> Answer:
        if body["sid"] not in self.validated:
            return 404, {"errcode": "M_NO_VALID_SESSION", "error": "No such session"}
        medium, address = self.validated[body["sid"]]
        self.bound[medium, address] = body["mxid"]
        made = {"medium": medium, "address": address, "mxid": body["mxid"], "not_before": 0, "not_after": 1, "ts": 0}
        return 200, sign_json(made, self.name, self.key)

    def _unbind(self, body: Any) -> Answer:
        threepid = body["threepid"]["medium"], body["threepid"]["address"]
        if self.bound.pop(threepid, None) != body["mxid"]:
            return 404, {"errcode": "M_NOT_FOUND", "error": "No such association"}
        return 200, {}

    def _text(self, body: Any) -> Answer:
        sid = f"sms{len(self.texted) + 1}"
        self.texted[sid] = (body["country"], body["phone_number"])
        return 200, {"sid": sid}

    def _submit(self, body: Any) -> Answer:
        if body["token"] != CODE or body["sid"] not in self.texted:
            return 400, {"errcode": "M_INVALID_PARAM", "error": "Wrong code"}
        country, number = self.texted[body["sid"]]
        digits = number.lstrip("0").removeprefix("+")
        self.validated[body["sid"]] = "msisdn", {"GB": f"44{digits}", "DE": f"49{digits}"}[country]
        return 200, {"success": True}

    def _validated(self, body: Any) -> Answer:
        if body["sid"] not in self.validated:
            return 400, {"errcode": "M_SESSION_NOT_VALIDATED", "error": "not yet"}
        medium, address = self.validated[body["sid"]]
        return 200, {"medium": medium, "address": address, "validated_at": 1_700_000_000_000}


@contextlib.asynccontextmanager
async def identity_server(folder: Path) -> AsyncIterator[IdentityServer]:
    """A server for the time of the block."""
    authority = trustme.CA()
    file = folder / "identity-authority.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    made = IdentityServer("", file)
    runner = web.ServerRunner(web.Server(made.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    made.name = f"localhost:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
