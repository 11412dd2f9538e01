"""Secrets in the database, of use only to who has the server's signing key too."""

from base64 import b64decode, b64encode
from hashlib import blake2b

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from myelin.matrix.errors import MyelinError
from myelin.matrix.signing import SigningKey

_PURPOSE = b"myelin sealed"
"""At most 16 bytes, by which the key differs from every other one made of the signing key."""


class Unsealable(MyelinError):
    """The secret was sealed with another signing key, or changed since."""


class Seal:
    """Encrypts with a key that is made of the server's signing key."""

    def __init__(self, signing_key: SigningKey) -> None:
        signature = signing_key.sign(_PURPOSE).encode()
        self._box = SecretBox(blake2b(signature, digest_size=SecretBox.KEY_SIZE, person=_PURPOSE).digest())

    def seal(self, secret: bytes) -> str:
        """Text that only this server reads."""
        return b64encode(self._box.encrypt(secret)).decode()

    def open(self, sealed: str) -> bytes:
        """The secret. Raises Unsealable."""
        try:
            return self._box.decrypt(b64decode(sealed))
        except (CryptoError, ValueError) as error:
            raise Unsealable("a secret in the database was sealed with another signing key") from error
