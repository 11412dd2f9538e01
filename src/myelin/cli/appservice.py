"""`myelin appservice ...`: bridges and bots, beside a server that runs or without one."""

import os
from typing import Annotated

import typer

from myelin.cli.options import ConfigFile, Data, Sets
from myelin.config.config import Config

appservice_commands = typer.Typer(help="Application services: bridges and bots.", no_args_is_help=True)

File = Annotated[str, typer.Argument(metavar="FILE", help="The registration file (YAML) that the bridge made.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The id of its registration.")]


@appservice_commands.callback()
def appservices() -> None:
    """Application services: bridges and bots."""


@appservice_commands.command()
def add(file: File, data: Data = None, config: ConfigFile = None, sets: Sets = None) -> None:
    """Add an application service, or change the one with its id. A running server notices within seconds."""
    loaded = _config(data, config, sets)
    from myelin.app.appservices_offline import add_appservice

    added = add_appservice(loaded, file)
    typer.echo(f"Added {added.appservice_id}: it acts as {added.sender}")


@appservice_commands.command("list")
def list_appservices(data: Data = None, config: ConfigFile = None, sets: Sets = None) -> None:
    """List the application services: id, user, where it is, and whether it is in the configuration or was added."""
    loaded = _config(data, config, sets)
    from myelin.app.appservices_offline import list_appservices as listed

    configured, added = listed(loaded)
    for registration, origin in [*((r, "configured") for r in configured), *((r, "added") for r in added)]:
        url = registration.url or "-"
        typer.echo(f"{registration.appservice_id}\t{registration.sender}\t{url}\t{origin}")


@appservice_commands.command()
def remove(appservice_id: Id, data: Data = None, config: ConfigFile = None, sets: Sets = None) -> None:
    """Remove an application service that was added. Its users and rooms stay."""
    loaded = _config(data, config, sets)
    from myelin.app.appservices_offline import remove_appservice

    remove_appservice(loaded, appservice_id)
    typer.echo(f"Removed {appservice_id}")


@appservice_commands.command()
def ping(appservice_id: Id, data: Data = None, config: ConfigFile = None, sets: Sets = None) -> None:
    """See whether an application service answers, with the token that it expects."""
    loaded = _config(data, config, sets)
    from myelin.app.appservices_offline import ping_appservice

    duration_ms = ping_appservice(loaded, appservice_id)
    typer.echo(f"{appservice_id} answered in {duration_ms} ms")


def _config(data: str | None, config: str | None, sets: list[str] | None) -> Config:
    from myelin.cli.settings import Settings, load_settings
    from myelin.telemetry.ambient import SystemClock
    from myelin.telemetry.logs import configure_logs

    loaded = load_settings(Settings(data, config, sets or ()), os.environ)
    configure_logs(loaded.config.logging, SystemClock())
    return loaded.config
