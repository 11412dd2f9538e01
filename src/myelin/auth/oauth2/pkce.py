"""Proof that whoever exchanges a code is who asked for it (RFC 7636)."""

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def is_proven(code_challenge: str, code_verifier: str) -> bool:
    """Whether the verifier is the one that the challenge was made of, by S256."""
    if not _VERIFIER.fullmatch(code_verifier):
        return False
    digest = urlsafe_b64encode(sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
    return compare_digest(digest, code_challenge)
