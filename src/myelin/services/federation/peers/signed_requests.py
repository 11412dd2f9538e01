"""What a signature on a request covers (spec: server-server API, "Request Authentication")."""

import json
import re
from typing import Any, Final

from myelin.matrix.canonical_json import check_canonical, encode_canonical_json, encode_lenient_json
from myelin.matrix.errors import CanonicalJsonError, SignatureError
from myelin.matrix.signing import SigningKey, VerifyKey
from myelin.services.federation.peers.x_matrix import XMatrix

# What floats and integers beyond 64 bits look like; strings may look so too, then a closer look is taken.
_may_be_lossy: Final = re.compile(rb"[0-9](?:\.[0-9]|[eE][-+]?[0-9]|[0-9]{17})").search


def encoded_content(content: Any) -> bytes:
    """The canonical bytes of a request's body, which are both sent and signed; raises CanonicalJsonError.

    Bytes are taken for encoded already. PDUs of room versions 1 to 5 may hold floats, which are written as all write
    them.
    """
    if isinstance(content, bytes):
        return content
    try:
        data = encode_canonical_json(content)
        if _may_be_lossy(data) is not None:
            check_canonical(content)
    except CanonicalJsonError:
        return encode_lenient_json(content)
    return data


def signed_bytes(method: str, target: str, origin: str, destination: str, content: bytes | None) -> bytes:
    """The message: canonical JSON with the body's own canonical bytes spliced in; `target` is path and query."""
    rest = encode_canonical_json({"destination": destination, "method": method, "origin": origin, "uri": target})
    return rest if content is None else b'{"content":%b,%b' % (content, rest[1:])


def sign_request(
    key: SigningKey, method: str, target: str, origin: str, destination: str, content: bytes | None
) -> str:
    """The Authorization header of a request of ours."""
    signature = key.sign(signed_bytes(method, target, origin, destination, content))
    return XMatrix(origin, destination, key.key_id, signature).header()


def sign_for_identity_server(
    key: SigningKey, method: str, target: str, origin: str, id_server: str, content: bytes
) -> str:
    """The Authorization header of a request to an identity server, which has no name among homeservers.

    The spec says no more than that the homeserver signs; what identity servers check is `destination_is`.
    """
    rest = encode_canonical_json({"destination_is": id_server, "method": method, "origin": origin, "uri": target})
    signature = key.sign(b'{"content":%b,%b' % (content, rest[1:]))
    return XMatrix(origin, id_server, key.key_id, signature).header()


def verify_request(
    key: VerifyKey, claim: XMatrix, method: str, target: str, destination: str, body: bytes, value: Any
) -> None:
    """Raise SignatureError unless the key signed this request; `value` is the JSON of `body`, which may be empty."""
    content = encode_canonical_json(value) if body else None
    try:
        key.verify(signed_bytes(method, target, claim.origin, destination, content), claim.signature)
    except SignatureError:
        if not body or _may_be_lossy(body) is None:
            raise
        # What floats and large integers looked like is lost on the fast path.
        key.verify(signed_bytes(method, target, claim.origin, destination, _lenient(body)), claim.signature)


def _lenient(body: bytes) -> bytes:
    try:
        return encode_lenient_json(json.loads(body))
    except (ValueError, CanonicalJsonError) as error:
        raise SignatureError("the body cannot be canonical JSON") from error
