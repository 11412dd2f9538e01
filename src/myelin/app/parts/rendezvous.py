"""Signing in a device with a QR code that another one shows."""

from collections.abc import Mapping
from typing import Any

from myelin.api.client import rendezvous, rendezvous_by_http
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.accounts.discovery import Discovery
from myelin.services.rendezvous.rendezvous import Rendezvous


def make_rendezvous(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Where the two devices meet; who has not signed in can open a session only if everybody may."""
    mode = ground.config.sessions.rendezvous
    features = services[Discovery].unstable_features
    features["org.matrix.msc4108"] = mode == "open"
    features["io.element.msc4388"] = mode != "off"
    made = Rendezvous(mode, ground.config.public_url, ground.database, ground.clock, ground.randomness)
    return Part(services={Rendezvous: made}, endpoints=(rendezvous.endpoints, rendezvous_by_http.endpoints))
