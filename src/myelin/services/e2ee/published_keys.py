"""Keys as clients publish them, checked before anybody else is shown them (spec: end-to-end encryption, "Key
management API").

What is malformed is refused here: others would pass it on, to clients and servers that trip over it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from myelin.matrix.canonical_json import encode_checked_json
from myelin.matrix.errors import BadJson, CoreError, InvalidParam, TooLarge
from myelin.matrix.identifiers import parse_key_id
from myelin.matrix.signing import VerifyKey
from myelin.services.e2ee.limits import MAX_CROSS_SIGNING_KEY_BYTES, MAX_DEVICE_KEYS_BYTES, MAX_ONE_TIME_KEY_BYTES
from myelin.store.one_time_keys import OneTimeKey

CROSS_SIGNING_USAGES = ("master", "self_signing", "user_signing")


class CrossSigningKey(NamedTuple):
    """A cross-signing key that was checked."""

    usage: str
    public_key: str
    value: dict[str, Any]

    @property
    def verify_key(self) -> VerifyKey:
        """What its signatures are checked with. Raises SignatureError where it is no Ed25519 key."""
        return VerifyKey.from_base64(f"ed25519:{self.public_key}", self.public_key)


def check_device_keys(value: Any, user_id: str, device_id: str) -> bytes:
    """Canonical JSON of a device's identity keys. Raises BadJson, InvalidParam or TooLarge.

    Whether the device's signature is right is not asked: clients do not trust the server's word for it and verify.
    """
    if not isinstance(value, dict):
        raise BadJson("device_keys must be an object")
    if value.get("user_id") != user_id or value.get("device_id") != device_id:
        raise InvalidParam("user_id and device_id of the keys must be those of the session that uploads them")
    algorithms = value.get("algorithms")
    if not isinstance(algorithms, list) or not all(isinstance(a, str) for a in algorithms):
        raise BadJson("algorithms must be a list of strings")
    keys = _strings(value.get("keys"), "keys")
    for key_id in keys:
        check_key_id(key_id)
    check_signatures(value)
    value = {name: member for name, member in value.items() if name != "unsigned"}
    return encode_within(value, MAX_DEVICE_KEYS_BYTES, "device_keys")


def check_one_time_keys(value: Any, name: str) -> list[OneTimeKey]:
    """The keys of `one_time_keys` or `fallback_keys`. Raises BadJson, InvalidParam or TooLarge."""
    if not isinstance(value, dict):
        raise BadJson(f"{name} must be an object")
    return [_one_time_key(full_id, key) for full_id, key in value.items()]


def check_cross_signing_key(value: Any, user_id: str, usage: str) -> CrossSigningKey:
    """A key of `/keys/device_signing/upload`. Raises BadJson, InvalidParam or TooLarge."""
    if not isinstance(value, dict):
        raise BadJson(f"The {usage} key must be an object")
    if value.get("user_id") != user_id:
        raise InvalidParam(f"user_id of the {usage} key must be that of the user who uploads it")
    if value.get("usage") != [usage]:
        raise InvalidParam(f"usage of the {usage} key must be [{usage!r}]")
    keys = _strings(value.get("keys"), "keys")
    if len(keys) != 1:
        raise InvalidParam(f"The {usage} key must have exactly one public key")
    check_signatures(value, required=False)
    ((key_id, public_key),) = keys.items()
    key = CrossSigningKey(usage, public_key, {n: m for n, m in value.items() if n != "unsigned"})
    try:
        if key_id != f"ed25519:{public_key}" or key.verify_key.to_base64() != public_key:
            raise InvalidParam(f"The {usage} key must be an Ed25519 key under its own unpadded Base64")
    except CoreError as error:
        raise InvalidParam(f"The {usage} key is no Ed25519 key: {error}") from error
    encode_within(key.value, MAX_CROSS_SIGNING_KEY_BYTES, f"The {usage} key")
    return key


def check_signatures(value: Mapping[str, Any], *, required: bool = True) -> Mapping[str, Mapping[str, str]]:
    """`signatures` of a signed object, which maps signers to key IDs to signatures. Raises BadJson."""
    signatures = value.get("signatures", None if required else {})
    if not isinstance(signatures, dict):
        raise BadJson("signatures must be an object")
    for of_signer in signatures.values():
        _strings(of_signer, "signatures")
    return signatures


def encode_within(value: Any, most: int, name: str) -> bytes:
    """Canonical JSON of at most so many bytes. Raises BadJson or TooLarge."""
    try:
        data = encode_checked_json(value)
    except CoreError as error:
        raise BadJson(f"{name}: {error}") from error
    if len(data) > most:
        raise TooLarge(f"{name} must not be larger than {most} bytes")
    return data


def check_key_id(key_id: str) -> tuple[str, str]:
    """Algorithm and identifier of `<algorithm>:<identifier>`. Raises InvalidParam."""
    try:
        return parse_key_id(key_id)
    except CoreError as error:
        raise InvalidParam("The ID of a key must read <algorithm>:<identifier>") from error


def _one_time_key(full_id: str, key: Any) -> OneTimeKey:
    algorithm, key_id = check_key_id(full_id)
    if isinstance(key, str):
        key_json = encode_within({"": key}, MAX_ONE_TIME_KEY_BYTES, "A one-time key")[4:-1]
        return OneTimeKey(algorithm, key_id, key_json)
    if not isinstance(key, dict) or not isinstance(key.get("key"), str):
        raise BadJson("A one-time key must be a string, or an object with a key")
    check_signatures(key)
    return OneTimeKey(algorithm, key_id, encode_within(key, MAX_ONE_TIME_KEY_BYTES, "A one-time key"))


def _strings(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(member, str) for member in value.values()):
        raise BadJson(f"{name} must map strings to strings")
    return value
