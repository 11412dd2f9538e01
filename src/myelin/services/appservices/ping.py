"""Ping: an application service has the server see whether it can be reached (spec: "Pinging")."""

from myelin.http.client import RequestFailed
from myelin.matrix.errors import Forbidden, MatrixError
from myelin.services.appservices.registration import Registration
from myelin.services.appservices.registry import Appservices
from myelin.services.appservices.requests import AppserviceFailed, AppserviceRequests
from myelin.telemetry.ambient import Clock


class BadPing(MatrixError):
    """The application service answered with an error: `answered` and `body` say which."""

    def __init__(self, answered: int, body: str) -> None:
        super().__init__(f"Ping returned status {answered}", errcode="M_BAD_STATUS", status=502)
        self.answered = answered
        self.body = body


class AppservicePing:
    """Pings application services."""

    def __init__(self, registry: Appservices, requests: AppserviceRequests, clock: Clock) -> None:
        self._registry = registry
        self._requests = requests
        self._clock = clock

    async def ping(self, appservice_id: str, by: str | None, txn_id: str | None) -> int:
        """How many milliseconds it took; `by` is the application service that asks for it, which must be the same.

        Raises Forbidden, M_URL_NOT_SET, BadPing, M_CONNECTION_FAILED or M_CONNECTION_TIMEOUT.
        """
        registration = self._registry.get(appservice_id)
        if by != appservice_id or registration is None:
            raise Forbidden("Only the application service itself may have it pinged")
        return await ping(registration, self._requests, self._clock, txn_id)


async def ping(registration: Registration, requests: AppserviceRequests, clock: Clock, txn_id: str | None) -> int:
    """How many milliseconds it took. Raises what `AppservicePing.ping` does, but for Forbidden."""
    if not registration.url:
        raise MatrixError("The application service has no url", errcode="M_URL_NOT_SET")
    begun = clock.monotonic()
    try:
        await requests.ping(registration, txn_id)
    except AppserviceFailed as error:
        raise BadPing(error.status, error.body) from error
    except RequestFailed as error:
        if isinstance(error.__cause__, TimeoutError):
            raise MatrixError(
                "The application service did not answer in time", errcode="M_CONNECTION_TIMEOUT", status=504
            ) from error
        raise MatrixError(
            f"The application service cannot be reached: {error}", errcode="M_CONNECTION_FAILED", status=502
        ) from error
    return int((clock.monotonic() - begun) * 1000)
