"""From a template and its arguments to a mail in plain text and HTML."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
MAX_SUBJECT_LENGTH = 150


class Rendered(NamedTuple):
    """A mail's words."""

    subject: str
    text: str
    html: str


class MailTemplates:
    """The templates NAME.txt, whose first line is the subject, and NAME.html."""

    def __init__(self, server_name: str) -> None:
        self._server_name = server_name

    @cached_property
    def _environment(self) -> "Environment":
        import jinja2  # it costs memory and start-up that a server without mail does not need

        return jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=jinja2.select_autoescape(["html"]),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, template: str, arguments: Mapping[str, Any]) -> Rendered:
        """Both forms of a mail."""
        given = {**arguments, "server_name": self._server_name}
        subject, _, text = self._environment.get_template(f"{template}.txt").render(given).partition("\n")
        subject = " ".join(subject.split())[:MAX_SUBJECT_LENGTH]
        html = self._environment.get_template(f"{template}.html").render({**given, "subject": subject})
        return Rendered(subject, text.strip() + "\n", html)
