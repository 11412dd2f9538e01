"""From a template to a page in the visitor's language."""

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from myelin.auth.pages.languages import translate
from myelin.config.sections.auth import Branding
from myelin.http.page import page

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """Renders the templates; whatever is put into one is escaped."""

    def __init__(self, branding: Branding, server_name: str) -> None:
        self._branding = branding
        self._name = branding.name or server_name

    @cached_property
    def _environment(self) -> "Environment":
        import jinja2  # it costs memory and start-up that a server whose pages nobody visits does not need

        return jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def show(
        self,
        template: str,
        language: str,
        title: str,
        *,
        status: int = 200,
        form_targets: Sequence[str] = (),
        **values: Any,
    ) -> web.Response:
        """A page; `title` is English and translated, as are the template's texts in `_()`."""
        say = partial(translate, language)
        given = {**values, "_": say, "service": self._name, "branding": self._branding}
        body = self._environment.get_template(f"{template}.html").render(given)
        heading = say(title).replace("{service}", self._name)
        return page(heading, body, status=status, language=language, form_targets=form_targets)
