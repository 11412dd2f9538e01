"""What a place that users can sign in at (an upstream provider) has to offer, whatever protocol it speaks."""

from typing import Protocol

import msgspec


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser is sent to a provider for: a client that wants a sign-in, or a user who confirms something."""

    redirect_url: str = ""
    """Where the client waits for a login token."""
    uia_session: str = ""
    """The user-interactive authentication that is to be confirmed."""
    is_registration: bool = False
    """Whether the user said that they want a new account."""


class UpstreamUser(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, as a provider vouches for them."""

    provider_id: str
    subject: str
    """What the provider calls them, for ever the same."""
    localpart: str
    """The localpart that they would have here."""
    display_name: str | None = None
    new_accounts: bool = True
    """Whether they get an account if they have none."""
    links_existing: bool = False
    """Whether an account that is here under the localpart is theirs."""


class UpstreamProvider(Protocol):
    """A place to sign in at. It ends an attempt by `SsoSignIn.finish`, from an endpoint of its own."""

    @property
    def provider_id(self) -> str:
        """An opaque identifier that never changes: accounts are linked by it."""
        ...

    @property
    def name(self) -> str:
        """What users know it as."""
        ...

    @property
    def icon(self) -> str:
        """An mxc:// address, or nothing."""
        ...

    @property
    def brand(self) -> str:
        """One of the brands that clients know, or nothing."""
        ...

    async def address(self, attempt: Attempt) -> str:
        """Where to send the browser."""
        ...


class UpstreamProviders(list[UpstreamProvider]):
    """The places to sign in at, in the order in which they are offered; parts that are built later add theirs."""

    def named(self, provider_id: str) -> UpstreamProvider | None:
        """The one with this ID."""
        return next((provider for provider in self if provider.provider_id == provider_id), None)
