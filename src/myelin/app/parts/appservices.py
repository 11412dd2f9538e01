"""Application services: bridges and bots that act for many users."""

from collections.abc import Callable, Mapping
from typing import Any

from myelin.api.client import appservice_ping, appservice_room_directory
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.http.client import HttpClient
from myelin.http.kernel import Authenticator
from myelin.http.ssrf import AddressGuard
from myelin.services.accounts.credentials import Credentials
from myelin.services.accounts.login import LoginService
from myelin.services.accounts.ports import ReservedUserNamespaces
from myelin.services.accounts.registration import RegistrationService
from myelin.services.appservices.accounts import AppserviceAccounts
from myelin.services.appservices.appservice_loop import AppserviceLoop
from myelin.services.appservices.authenticator import AppserviceAuthenticator
from myelin.services.appservices.composing import Composing
from myelin.services.appservices.cursor import AppserviceCursor
from myelin.services.appservices.interest import Interest
from myelin.services.appservices.loading import RegistrationWatch, load_files
from myelin.services.appservices.network_rooms import NetworkRooms
from myelin.services.appservices.networks import AppserviceNetworks
from myelin.services.appservices.ping import AppservicePing
from myelin.services.appservices.registration import Registration
from myelin.services.appservices.registry import Appservices
from myelin.services.appservices.requests import AppserviceRequests
from myelin.services.appservices.reserved import AppserviceAliases, AppserviceUsers
from myelin.services.appservices.serving import Serving
from myelin.services.appservices.sorting import Sorting
from myelin.services.appservices.user_queries import UserQueries
from myelin.services.directory.ports import ReservedAliasNamespaces
from myelin.services.directory.third_parties import ThirdPartyNetworks
from myelin.services.e2ee.key_counts import KeyCounts
from myelin.services.log_reader import LogReader
from myelin.services.presence.presence import Presence
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.typing.typing_users import TypingUsers
from myelin.store.appservice_cursors import AppserviceCursorStore
from myelin.store.to_device import ToDeviceStore

USER_AGENT = "Myelin"
HOLDER_BYTES = 8
MAX_REQUESTS_AT_ONCE = 32
"""To the host of one application service."""


def make_appservices(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Everything about application services. Stands after what they are told of. Raises RegistrationError."""
    database = ground.database
    registry = Appservices()
    configured = load_files(ground.config.appservices.registrations, ground.server_name)
    registry.replace(configured)
    watch = RegistrationWatch(ground.server_name, configured, database, registry)
    client = http_client()
    requests = make_requests(ground, client)
    accounts = AppserviceAccounts(
        ground.server_name,
        registry,
        services[RegistrationService],
        services[LoginService],
        services[Credentials],
    )
    authenticator = AppserviceAuthenticator(services[Authenticator], registry, accounts, database, ground.feed)
    services[ReservedUserNamespaces].append(AppserviceUsers(registry))
    interest = Interest(ground.server_name, registry, services[Rooms], database, ground.feed, ground.clock)
    services[ReservedAliasNamespaces].append(AppserviceAliases(registry, requests, interest))
    services[ThirdPartyNetworks].append(AppserviceNetworks(registry, requests, ground.clock))
    return Part(
        services={
            Appservices: registry,
            AppserviceAccounts: accounts,
            Authenticator: authenticator,
            AppserviceAuthenticator: authenticator,
            AppservicePing: AppservicePing(registry, requests, ground.clock),
            NetworkRooms: NetworkRooms(services[Rooms], ground.committer),
        },
        endpoints=(appservice_ping.endpoints, appservice_room_directory.endpoints),
        prepare=(watch.look,),
        loops=(watch.run, _loop(ground, services, registry, requests, interest).run),
        close=(client.close,),
    )


def http_client() -> HttpClient:
    """Connects wherever the administrator says, in the server's own network too."""
    return HttpClient(
        AddressGuard(deny_private=False), user_agent=USER_AGENT, allow_http=True, limit_per_host=MAX_REQUESTS_AT_ONCE
    )


def make_requests(ground: Ground, client: HttpClient) -> AppserviceRequests:
    """What speaks to application services."""
    config = ground.config.appservices
    return AppserviceRequests(
        client, timeout_s=config.timeout_ms / 1000, legacy_authorization=config.legacy_authorization
    )


def _loop(
    ground: Ground,
    services: Mapping[type, Any],
    registry: Appservices,
    requests: AppserviceRequests,
    interest: Interest,
) -> AppserviceLoop:
    database, figures = ground.database, ground.figures
    sorting = Sorting(registry, interest, database)
    composing = Composing(
        ToDeviceStore(database),
        services[Rooms],
        services[ClientEvents],
        services[TypingUsers],
        services[Presence],
        services[KeyCounts],
        UserQueries(requests, database),
        ground.clock,
    )
    holder = ground.randomness.token_bytes(HOLDER_BYTES).hex()
    counters = (
        figures.counter(
            "appservice_transactions", "Requests with transactions to application services", outcome="sent"
        ),
        figures.counter(
            "appservice_transactions", "Requests with transactions to application services", outcome="failed"
        ),
    )

    def make_cursor(name: str) -> AppserviceCursor:
        return AppserviceCursor(name, database, ground.committer, holder, ground.clock)

    def make_serving(
        registration: Registration, cursor: AppserviceCursor, progress: Callable[[], tuple[int, int]]
    ) -> Serving:
        return Serving(
            registration,
            cursor,
            requests,
            sorting,
            composing,
            AppserviceCursorStore(database),
            LogReader(database).read,
            progress,
            counters,
        )

    return AppserviceLoop(ground.feed, registry, sorting, make_cursor, make_serving)
