"""Hand a mail to the mail server."""

import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate
from typing import Any

from myelin.config.sections.mail import Mail
from myelin.matrix.errors import MyelinError
from myelin.services.mail.addresses import sender_of
from myelin.services.mail.rendering import MailTemplates
from myelin.store.mail import QueuedMail
from myelin.telemetry.ambient import Clock

PERMANENT = 500
"""An answer from here on says that trying again is of no use."""


class MailFailed(MyelinError):
    """The mail server did not take it now."""


class MailRefused(MailFailed):
    """The mail server will never take it."""


class Smtp:
    """Sends one mail at a time."""

    def __init__(self, config: Mail, server_name: str, clock: Clock) -> None:
        self._config = config
        self._templates = MailTemplates(server_name)
        self._clock = clock
        self._sender, self._address = sender_of(config.sender, server_name)

    def message(self, mail: QueuedMail, arguments: Mapping[str, Any]) -> EmailMessage:
        """The mail with all its headers."""
        rendered = self._templates.render(mail.template, arguments)
        message = EmailMessage(SMTP_POLICY)
        message["From"] = self._sender
        message["To"] = mail.recipient
        message["Subject"] = rendered.subject
        message["Date"] = formatdate(self._clock.now_ms() / 1000)
        message["Message-ID"] = f"<{mail.mail_id}@{self._address.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        unsubscribe = arguments.get("unsubscribe")
        if unsubscribe:
            message["List-Unsubscribe"] = f"<{unsubscribe}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(rendered.text)
        message.add_alternative(rendered.html, subtype="html")
        return message

    async def send(self, mail: QueuedMail, arguments: Mapping[str, Any]) -> None:
        """Hand the mail over. Raises MailRefused or MailFailed."""
        import aiosmtplib  # it costs memory and start-up that a server without mail does not need

        config = self._config
        try:
            await aiosmtplib.send(
                self.message(mail, arguments),
                sender=self._address,
                recipients=[mail.recipient],
                hostname=config.smtp_host,
                port=config.smtp_port,
                username=config.username or None,
                password=config.password or None,
                use_tls=config.security == "tls",
                start_tls=config.security == "starttls",
                tls_context=self._context(),
                timeout=config.timeout_ms / 1000,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [refused.code for refused in error.recipients]
            raise (MailRefused if all(code >= PERMANENT for code in codes) else MailFailed)(str(codes)) from error
        except aiosmtplib.SMTPResponseException as error:
            # Not logging in is the administrator's to mend: the mail waits.
            refused = error.code >= PERMANENT and not isinstance(error, aiosmtplib.SMTPAuthenticationError)
            raise (MailRefused if refused else MailFailed)(f"{type(error).__name__} {error.code}") from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise MailFailed(type(error).__name__) from error

    def _context(self) -> ssl.SSLContext | None:
        if self._config.security == "none":
            return None
        context = ssl.create_default_context()
        if self._config.extra_ca:
            context.load_verify_locations(self._config.extra_ca)
        return context
