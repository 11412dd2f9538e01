"""Application services: bridges and bots that act for many users."""

from typing import Annotated

from msgspec import Meta

from myelin.config.sections.section import Milliseconds, Section, about


class Appservices(Section, frozen=True, kw_only=True):
    """Application services: bridges to other networks, and bots that act for many users."""

    registrations: Annotated[
        tuple[str, ...],
        Meta(extra={"path": True}),
        about(
            "Registration files (YAML) of application services. "
            "Others are added while the server runs: myelin appservice add FILE.",
            examples=[["irc.yaml"]],
        ),
    ] = ()
    timeout_ms: Annotated[
        Milliseconds,
        about("How long an application service may take to answer a transaction, in milliseconds.", ge=1000),
    ] = 60_000
    legacy_authorization: Annotated[
        bool,
        about(
            "Send the hs_token in the query of requests to application services too, as those from before 2022 want it."
        ),
    ] = False
