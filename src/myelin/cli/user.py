"""`myelin user ...`: accounts, from the machine that the server runs on."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from myelin.cli.complaints import complain
from myelin.cli.options import ConfigFile, Data, Sets

user_commands = typer.Typer(help="Accounts.", no_args_is_help=True)


@user_commands.callback()
def users() -> None:
    """Accounts."""


@user_commands.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name, without @ and server.")],
    admin: Annotated[bool, typer.Option("--admin", help="Make the user an administrator of the server.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input's first line.")
    ] = False,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", metavar="FILE", help="Read the password from a file's first line.")
    ] = None,
    data: Data = None,
    config: ConfigFile = None,
    sets: Sets = None,
) -> None:
    """Make an account. The password is asked for, or read as the options say; it is never an argument."""
    from myelin.cli.settings import Settings, load_settings

    loaded = load_settings(Settings(data, config, sets or ()), os.environ)
    password = _password(password_stdin, password_file)

    from myelin.telemetry.ambient import SystemClock
    from myelin.telemetry.logs import configure_logs

    configure_logs(loaded.config.logging, SystemClock())

    from myelin.app.offline import create_user

    create_user(loaded.config, name, password, admin)
    typer.echo(f"Created @{name}:{loaded.config.server.name}")


def _password(from_stdin: bool, file: Path | None) -> str:
    if from_stdin and file is not None:
        complain("--password-stdin and --password-file exclude each other")
    if file is not None:
        return _first_line(_read(file), str(file))
    if from_stdin:
        return _first_line(sys.stdin.readline(), "standard input")
    if not sys.stdin.isatty():
        complain("there is no terminal to ask for the password; use --password-stdin or --password-file")
    return _prompted()


def _prompted() -> str:
    from getpass import getpass

    password = getpass("Password: ")
    if not password:
        complain("the password is empty")
    if getpass("Again: ") != password:
        complain("the passwords are not the same")
    return password


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        complain(f"{file}: {error.strerror}")
    except UnicodeDecodeError:
        complain(f"{file}: is not UTF-8 text")


def _first_line(text: str, source: str) -> str:
    password = text.partition("\n")[0].rstrip("\r")
    if not password:
        complain(f"the password from {source} is empty")
    return password
