"""Notifications: pushers, the loop that sends to push gateways, and the list of what was notified."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import mail_links, notifications, pusher
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.http.client import HttpClient
from myelin.http.ssrf import AddressGuard
from myelin.services.accounts.contacts import Contacts
from myelin.services.devices.ports import DeviceRemovals
from myelin.services.mail.outbox import Outbox
from myelin.services.mail.tokens import UnsubscribeTokens
from myelin.services.notifications.unread import Unread
from myelin.services.push.badges import Badges
from myelin.services.push.composer import Composer
from myelin.services.push.cursor import PushCursor
from myelin.services.push.deliveries import MAX_SENT_TO_A_HOST, Deliveries
from myelin.services.push.digest_words import DigestWords
from myelin.services.push.gateway import PushGateway
from myelin.services.push.mail_digests import MailDigests
from myelin.services.push.mail_pushers import MailPushers
from myelin.services.push.notification import Notifications
from myelin.services.push.notified_events import NotifiedEvents
from myelin.services.push.push_loop import PushLoop
from myelin.services.push.push_users import PushUsers
from myelin.services.push.pushers import Pushers
from myelin.services.push.room_names import RoomNames
from myelin.services.push.targets import Targets
from myelin.services.receipts.receipts import Receipts
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.visibility import Visibility
from myelin.services.threads.subscribers import ThreadSubscribers
from myelin.services.userdata.ignored_users import IgnoredUsers
from myelin.services.userdata.push_rules import PushRulesets
from myelin.services.userdata.unwanted_invites import UnwantedInvites

USER_AGENT = "Myelin"
HOLDER_BYTES = 8


def make_push(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Notifications on phones. Stands after what counts unread messages."""
    config = ground.config.push
    mail_pushers = MailPushers(
        ground.config.mail.link_base or ground.config.public_url,
        services[Contacts],
        services[UnsubscribeTokens],
        ground.committer,
    )
    pushers = Pushers(config, ground.database, ground.committer, mail_pushers, ground.clock)
    services[DeviceRemovals].append(pushers)
    names = RoomNames(services[Rooms])
    notified = NotifiedEvents(
        ground.database,
        services[Rooms],
        services[ClientEvents],
        services[Visibility],
        services[Receipts],
        services[PushRulesets],
        services[IgnoredUsers],
        names,
        services[ThreadSubscribers],
        ground.clock,
    )
    client = HttpClient(
        AddressGuard(deny_private=config.deny_private_addresses),
        user_agent=USER_AGENT,
        allow_http=not config.deny_private_addresses,
        limit_per_host=MAX_SENT_TO_A_HOST,
    )
    composer = _composer(ground, services, names)
    digests = _digests(
        ground, services, composer, DigestWords(names, mail_pushers, include_content=config.include_content)
    )
    gateway = PushGateway(client, timeout_s=config.timeout_ms / 1000)
    deliveries = Deliveries(
        ground.database, ground.committer, gateway, composer, digests, pushers, ground.clock, ground.figures
    )
    return Part(
        services={Pushers: pushers, MailPushers: mail_pushers, MailDigests: digests, NotifiedEvents: notified},
        endpoints=(pusher.endpoints, notifications.endpoints, mail_links.endpoints),
        loops=(_loop(ground, services, deliveries, names).run,) if config.enabled else (),
        close=(client.close,),
    )


def _composer(ground: Ground, services: Mapping[type, Any], names: RoomNames) -> Composer:
    rooms = services[Rooms]
    return Composer(
        rooms,
        services[ClientEvents],
        services[Receipts],
        Badges(ground.database, ground.feed, rooms, services[Unread]),
        Notifications(names, include_content=ground.config.push.include_content),
    )


def _digests(
    ground: Ground, services: Mapping[type, Any], composer: Composer, words: DigestWords
) -> MailDigests | None:
    config = ground.config.mail
    if not config.smtp_host:
        return None
    return MailDigests(config, ground.database, ground.committer, services[Outbox], composer, words, ground.clock)


def _loop(ground: Ground, services: Mapping[type, Any], deliveries: Deliveries, names: RoomNames) -> PushLoop:
    database = ground.database
    users = PushUsers(database)
    targets = Targets(
        users,
        services[Rooms],
        services[ClientEvents],
        services[Visibility],
        services[Receipts],
        services[PushRulesets],
        services[IgnoredUsers],
        names,
        services[ThreadSubscribers],
        services[UnwantedInvites],
    )
    holder = ground.randomness.token_bytes(HOLDER_BYTES).hex()
    cursor = PushCursor(database, ground.committer, holder, ground.clock)
    return PushLoop(ground.feed, database, cursor, users, targets, deliveries, ground.clock)
