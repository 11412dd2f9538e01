"""All commands but `serve`, as Typer shows them."""

import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from myelin.cli.appservice import appservice_commands
from myelin.cli.complaints import EXIT_CODE, complain
from myelin.cli.config import config_commands
from myelin.cli.room import room_commands
from myelin.cli.user import user_commands

commands = typer.Typer(
    name="myelin",
    help="A complete, self-hosted Matrix server.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
commands.add_typer(user_commands, name="user")
commands.add_typer(room_commands, name="room")
commands.add_typer(appservice_commands, name="appservice")
commands.add_typer(config_commands, name="config")


def run(words: list[str]) -> None:
    """Run a command; a mistake of the user is one line on standard error and exit code 2."""
    from myelin.matrix.errors import MyelinError

    try:
        sys.exit(commands(words, standalone_mode=False))
    except TyperException as error:
        _complain_of_usage(error.format_message())
    except typer.Abort:
        complain("aborted")
    except MyelinError as error:
        complain(str(error))


def _complain_of_usage(message: str) -> None:
    # More than a line is the help text, shown to who names no command.
    if "\n" in message:
        sys.stderr.write(f"{message}\n")
        sys.exit(EXIT_CODE)
    complain(message)


@commands.command("serve", add_help_option=False, context_settings={"ignore_unknown_options": True})
def serve_command(arguments: Annotated[list[str] | None, typer.Argument(hidden=True)] = None) -> None:
    """Run the server; the first start makes all it needs."""
    from myelin.cli.serve import serve

    serve(arguments or [])


@commands.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    typer.echo(f"myelin {version_of('myelin-server')}")


@commands.command()
def routes() -> None:
    """List every endpoint: method, path, who may call, rate limit, name."""
    from myelin.cli.routes import listing

    typer.echo(listing(), nl=False)
