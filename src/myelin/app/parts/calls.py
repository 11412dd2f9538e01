"""Calls: where clients find the servers that carry them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from myelin.api.client import rtc_transports, voip
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.config.sections.calls import Rtc
from myelin.services.accounts.discovery import Discovery
from myelin.services.calls.turn import TurnCredentials


def make_calls(ground: Ground, services: Mapping[type, Any]) -> Part:
    """What clients need to know to call each other."""
    rtc = ground.config.rtc
    discovery = services[Discovery]
    discovery.unstable_features["org.matrix.msc4143"] = True
    if rtc.transports:
        discovery.well_known_client["org.matrix.msc4143.rtc_foci"] = [msgspec.to_builtins(t) for t in rtc.transports]
    turn = TurnCredentials(ground.config.voip, ground.clock)
    return Part(services={TurnCredentials: turn, Rtc: rtc}, endpoints=(voip.endpoints, rtc_transports.endpoints))
