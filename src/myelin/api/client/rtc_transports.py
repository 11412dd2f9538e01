"""The servers that group calls go through (MSC4143)."""

import msgspec

from myelin.config.sections.calls import Rtc, RtcTransport
from myelin.http.endpoint import Auth, Endpoints

endpoints = Endpoints(group="calls", auth=Auth.GUEST)


class Transports(msgspec.Struct, frozen=True):
    """All of them, the preferred one first."""

    rtc_transports: tuple[RtcTransport, ...]


@endpoints.endpoint("GET /_matrix/client/unstable/org.matrix.msc4143/rtc/transports", limit="general")
async def get_rtc_transports(rtc: Rtc) -> Transports:
    """List the servers that group calls can go through."""
    return Transports(rtc.transports)
