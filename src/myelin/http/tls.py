"""What a listener needs to answer HTTPS itself, without a proxy in front."""

import asyncio
import ssl
from pathlib import Path

import structlog

from myelin.matrix.errors import MyelinError

LOOK_EVERY_S = 30
"""How often to look whether the files changed."""

_log = structlog.get_logger("myelin.http")


class ServerIdentity:
    """A certificate and its key, taken anew from their files when these change, as they do every few weeks."""

    def __init__(self, certificate: Path, private_key: Path) -> None:
        """Raises MyelinError if the files cannot be used."""
        self._certificate = certificate
        self._private_key = private_key
        self._seen = self._stamp()
        self.context = server_context(certificate, private_key)

    async def run(self) -> None:
        """Follow the files, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Take the files anew if they changed. Where they do not fit, which may be for a moment, all stays as it is."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        try:
            # A context that was given files which do not fit is broken: they are tried in another one.
            server_context(self._certificate, self._private_key)
            self.context.load_cert_chain(self._certificate, self._private_key, password=_no_password)
        except (MyelinError, OSError) as error:
            _log.warning("the TLS files changed and cannot be used", reason=str(error))
        else:
            _log.info("took new TLS files")
        self._seen = stamp

    def _stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(path) for path in (self._certificate, self._private_key))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


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
