"""How clients find each other for calls."""

from typing import Annotated, Literal

from myelin.config.sections.section import Milliseconds, Secret, Section, about


class Voip(Section, frozen=True, kw_only=True):
    """The TURN server that relays calls between two people."""

    turn_uris: Annotated[
        tuple[str, ...],
        about(
            "Addresses of the TURN server. Empty: there is none.",
            examples=[["turn:turn.example.org?transport=udp", "turns:turn.example.org"]],
        ),
    ] = ()
    turn_shared_secret: Annotated[
        Secret,
        about("The secret that this server shares with the TURN server (coturn: static-auth-secret)."),
    ] = ""
    turn_user_lifetime_ms: Annotated[
        Milliseconds, about("How long a user's TURN password is valid, in milliseconds.", ge=60_000)
    ] = 86_400_000
    turn_username: Annotated[
        str, about("The user name at a TURN server without a shared secret, the same for all.")
    ] = ""
    turn_password: Annotated[Secret, about("The password to that user name.")] = ""
    turn_allow_guests: Annotated[bool, about("Whether guests may use the TURN server.")] = True


class RtcTransport(Section, frozen=True, kw_only=True):
    """A server that group calls go through."""

    type: Literal["livekit"] = "livekit"
    livekit_service_url: str


class Rtc(Section, frozen=True, kw_only=True):
    """The servers that group calls go through (MatrixRTC)."""

    transports: Annotated[
        tuple[RtcTransport, ...],
        about(
            "Where clients get access to a LiveKit server. Empty: there is none.",
            examples=[[{"type": "livekit", "livekit_service_url": "https://rtc.example.org"}]],
        ),
    ] = ()
