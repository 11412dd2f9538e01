"""Keys as an encrypting client makes them."""

from typing import Any

from nacl.signing import SigningKey as NaclKey

from myelin.matrix.canonical_json import encode_canonical_json
from myelin.matrix.unpadded_base64 import encode_base64

ALGORITHMS = ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"]


class Ed25519:
    """A key pair made of one repeated byte."""

    def __init__(self, seed: int) -> None:
        self._key = NaclKey(bytes([seed]) * 32)
        self.public = encode_base64(bytes(self._key.verify_key))

    def sign(self, value: dict[str, Any], user_id: str, key_id: str | None = None) -> dict[str, Any]:
        """The object with a signature of this key added, under `ed25519:<public key>` or another ID."""
        bare = {name: member for name, member in value.items() if name not in ("signatures", "unsigned")}
        signature = encode_base64(self._key.sign(encode_canonical_json(bare)).signature)
        signatures = {signer: dict(of_signer) for signer, of_signer in value.get("signatures", {}).items()}
        signatures.setdefault(user_id, {})[key_id or f"ed25519:{self.public}"] = signature
        return {**value, "signatures": signatures}


class OlmDevice:
    """A device with its identity key."""

    def __init__(self, user_id: str, device_id: str, seed: int = 1) -> None:
        self.user_id = user_id
        self.device_id = device_id
        self.key = Ed25519(seed)
        self.key_id = f"ed25519:{device_id}"
        self.bare = {
            "user_id": user_id,
            "device_id": device_id,
            "algorithms": ALGORITHMS,
            "keys": {f"curve25519:{device_id}": Ed25519(seed + 1).public, self.key_id: self.key.public},
        }
        self.keys = self.sign(self.bare)

    def sign(self, value: dict[str, Any]) -> dict[str, Any]:
        """The object signed by the device."""
        return self.key.sign(value, self.user_id, self.key_id)

    def one_time_keys(self, *names: str, **more: Any) -> dict[str, Any]:
        """Signed one-time keys of these names."""
        return {f"signed_curve25519:{name}": self.sign({"key": f"key{name}", **more}) for name in names}


class CrossSigningKeys:
    """The three keys of a user."""

    def __init__(self, user_id: str, seed: int = 100) -> None:
        self.user_id = user_id
        self.master, self.self_signing, self.user_signing = Ed25519(seed), Ed25519(seed + 1), Ed25519(seed + 2)

    def key(self, usage: str, key: Ed25519) -> dict[str, Any]:
        """A key object that is not signed yet."""
        keys = {f"ed25519:{key.public}": key.public}
        return {"user_id": self.user_id, "usage": [usage], "keys": keys}

    def body(self) -> dict[str, Any]:
        """The body of an upload."""
        sign = self.master.sign
        return {
            "master_key": self.key("master", self.master),
            "self_signing_key": sign(self.key("self_signing", self.self_signing), self.user_id),
            "user_signing_key": sign(self.key("user_signing", self.user_signing), self.user_id),
        }
