"""Mail addresses as they are kept and compared (spec: "3PID Types", `m.id.email`)."""

import re
from email.utils import formataddr, parseaddr

from myelin.matrix.errors import InvalidParam

MAX_ADDRESS_LENGTH = 254
EMAIL = "email"
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,64}@[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,253}")


def canonical_address(given: str) -> str:
    """The address in the form that is compared: in lower case, as the spec asks. Raises InvalidParam."""
    address = given.strip().casefold()
    if len(address) > MAX_ADDRESS_LENGTH or _ADDRESS.fullmatch(address) is None or ".." in address:
        raise InvalidParam("That is not a mail address")
    return address


def sender_of(configured: str, server_name: str) -> tuple[str, str]:
    """The From header, and the address in it."""
    name, address = parseaddr(configured) if configured else ("", f"noreply@{server_name.partition(':')[0]}")
    return formataddr((name, address)) if name else address, address
