"""Mail: links that prove an address, and what sends them."""

from collections.abc import Mapping
from typing import Any

from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.mail.outbox import Outbox
from myelin.services.mail.smtp import Smtp
from myelin.services.mail.tokens import UnsubscribeTokens
from myelin.services.mail.validations import Validations


def make_mail(ground: Ground, services: Mapping[type, Any]) -> Part:  # noqa: ARG001  (every part is made like this)
    """What sends mail, if there is a mail server. Stands before accounts, which prove addresses with it."""
    config = ground.config.mail
    tokens = UnsubscribeTokens(ground.signing_key)
    smtp = Smtp(config, ground.server_name, ground.clock)
    outbox = Outbox(ground.database, smtp, ground.clock, ground.randomness)
    validations = Validations(
        config, ground.config.public_url, ground.database, outbox, ground.limiter, ground.clock, ground.randomness
    )
    return Part(
        services={Outbox: outbox, Validations: validations, UnsubscribeTokens: tokens},
        loops=[outbox.run] if config.smtp_host else [],
    )
