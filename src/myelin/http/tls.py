"""What a listener needs to answer HTTPS itself, without a proxy in front."""

import ssl
from pathlib import Path

from myelin.matrix.errors import MyelinError


def server_context(certificate: Path, private_key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate chain, both files PEM. Raises MyelinError if they cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, private_key, password=_no_password)
    except ssl.SSLError as error:
        reason = (error.reason or "they are no PEM files").lower().replace("_", " ")
        raise MyelinError(f"{certificate} and {private_key} do not make a TLS identity: {reason}") from error
    except OSError as error:
        raise MyelinError(f"{certificate} or {private_key} cannot be read: {error.strerror}") from error
    return context


def _no_password() -> str:
    """Answers for an encrypted key, which would otherwise ask at a terminal that a service does not have."""
    raise MyelinError("the TLS private key is encrypted; the server needs it as plain PEM")
