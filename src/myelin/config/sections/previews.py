"""Previews of links in messages."""

from typing import Annotated

from myelin.config.sections.section import Bytes, Milliseconds, Section, about


class UrlPreviews(Section, frozen=True, kw_only=True):
    """What a link in a message leads to, fetched by this server so that clients need not."""

    enabled: Annotated[
        bool, about("Fetch pages that users ask a preview of. The pages' servers see this server's address.")
    ] = True
    allow: Annotated[
        tuple[str, ...],
        about(
            "Only URLs that one of these patterns matches are fetched, redirects included; * stands for anything. "
            "Empty: all.",
            examples=[["https://*.example.org/*"]],
        ),
    ] = ()
    deny: Annotated[
        tuple[str, ...],
        about(
            "URLs that one of these patterns matches are never fetched.",
            examples=[["*://*.internal.example.org/*"]],
        ),
    ] = ()
    deny_private_addresses: Annotated[
        bool, about("Never connect to a private network address. false lets users look into your own network.")
    ] = True
    languages: Annotated[
        tuple[str, ...],
        about("Which languages pages are asked for, the best first.", examples=[["de", "en;q=0.8"]]),
    ] = ()
    max_page_size: Annotated[
        Bytes, about("How much of a page is read, in bytes; what is beyond it is ignored.", ge=1024, le=16_777_216)
    ] = 2_097_152
    max_image_size: Annotated[
        Bytes, about("The largest image that is shown in a preview, in bytes.", ge=1024, le=16_777_216)
    ] = 10_485_760
    timeout_ms: Annotated[
        Milliseconds, about("How long a page, its redirects included, may take, in milliseconds.", ge=100)
    ] = 10_000
    lifetime_ms: Annotated[
        Milliseconds, about("How long a preview is given before the page is fetched again, in milliseconds.", ge=0)
    ] = 3_600_000
    image_lifetime_ms: Annotated[
        Milliseconds,
        about("How long an image is kept after its preview ran out, in milliseconds.", ge=60_000),
    ] = 604_800_000
