"""`myelin room ...`: rooms, from the machine that the server runs on."""

import os
from typing import Annotated

import typer

from myelin.cli.complaints import complain
from myelin.cli.options import ConfigFile, Data, Sets

room_commands = typer.Typer(help="Rooms.", no_args_is_help=True)


@room_commands.callback()
def rooms() -> None:
    """Rooms."""


@room_commands.command()
def check(
    room: Annotated[str, typer.Argument(metavar="ROOM", help="The room's ID.")],
    repair: Annotated[bool, typer.Option("--repair", help="Put right the room's ends and its state.")] = False,
    data: Data = None,
    config: ConfigFile = None,
    sets: Sets = None,
) -> None:
    """Compute a room's state again from its events, and say where what is stored differs."""
    from myelin.cli.settings import Settings, load_settings

    loaded = load_settings(Settings(data, config, sets or ()), os.environ)

    from myelin.telemetry.ambient import SystemClock
    from myelin.telemetry.logs import configure_logs

    configure_logs(loaded.config.logging, SystemClock())

    from myelin.app.offline_rooms import check_room
    from myelin.matrix.errors import MyelinError

    try:
        findings = check_room(loaded.config, room, repair=repair)
    except MyelinError as error:
        complain(f"{room}: {error}")
    for kind, about, text in findings:
        typer.echo(f"{kind}: {about}: {text}")
    typer.echo(f"{room}: {len(findings)} findings{', repaired' if repair and findings else ''}")
    if findings and not repair:
        raise typer.Exit(1)
