"""`myelin config ...`: look at the configuration without starting anything."""

import os

import typer

from myelin.cli.options import ConfigFile, Data, Sets

config_commands = typer.Typer(help="Look at the configuration.", no_args_is_help=True)


@config_commands.command()
def check(data: Data = None, config: ConfigFile = None, sets: Sets = None) -> None:
    """Say what is wrong with the configuration, and warn of what is probably not meant so."""
    from myelin.cli.settings import Settings, load_settings
    from myelin.config.sense import warnings_of_sense

    settings = Settings(data, config, sets or ())
    loaded = load_settings(settings, os.environ)
    for warning in warnings_of_sense(loaded.config, loaded.origins):
        typer.echo(f"myelin: warning: {warning}", err=True)
    file = settings.config_file(os.environ)
    typer.echo(f"{file}: good" if file.exists() else f"There is no {file}; the defaults are good")


@config_commands.command()
def show(data: Data = None, config: ConfigFile = None, sets: Sets = None) -> None:
    """Print the configuration in effect, and where each value that is not a default comes from; secrets are masked."""
    from myelin.cli.settings import Settings, load_settings
    from myelin.config.show import show as shown

    typer.echo(shown(load_settings(Settings(data, config, sets or ()), os.environ)), nl=False)


@config_commands.command()
def sample() -> None:
    """Print a config file in which every key is explained."""
    from myelin.config.sample import sample as text

    typer.echo(text(), nl=False)


@config_commands.command()
def schema() -> None:
    """Print a JSON Schema of the config file, for editors."""
    from myelin.config.schema import json_schema

    typer.echo(json_schema(), nl=False)
