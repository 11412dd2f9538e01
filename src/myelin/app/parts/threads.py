"""Threads that users want to hear of."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import thread_subscriptions
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.accounts.discovery import Discovery
from myelin.services.rooms.client_events import ClientEvents
from myelin.services.rooms.viewpoint import Viewpoints
from myelin.services.threads.subscribers import ThreadSubscribers
from myelin.services.threads.subscriptions import ThreadSubscriptions
from myelin.services.userdata.push_rules import PushRules


def make_threads(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Subscriptions. Stands before what counts unread messages."""
    database, feed = ground.database, ground.feed
    subscriptions = ThreadSubscriptions(
        database, ground.committer, feed, services[Viewpoints], services[ClientEvents], services[PushRules]
    )
    services[Discovery].unstable_features["org.matrix.msc4306"] = True
    return Part(
        services={ThreadSubscriptions: subscriptions, ThreadSubscribers: ThreadSubscribers(database, feed)},
        endpoints=(thread_subscriptions.endpoints,),
    )
