"""`myelin serve`: light, so that the server answers soon and stays small; neither Typer nor Rich is imported."""

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

from myelin.cli.complaints import complain
from myelin.cli.settings import Settings, load_settings
from myelin.config.config import Config
from myelin.config.first_start import prepare, write_config
from myelin.matrix.errors import MyelinError
from myelin.telemetry.ambient import Randomness, SystemClock, SystemRandomness


class Start(NamedTuple):
    """What is to be served."""

    config: Config
    is_first: bool


def serve(arguments: Sequence[str]) -> None:
    """Run the server until it is told to stop."""
    settings = parse(arguments)
    try:
        start = ready(settings, os.environ, SystemRandomness())
        _run(start)
    except MyelinError as error:
        complain(str(error))
    except OSError as error:
        # Such as an address that is taken: the operating system's own words are the clearest.
        complain(error.strerror or str(error))


def _run(start: Start) -> None:
    # Before anything that logs is imported: logs.py keeps structlog from importing what is large.
    from myelin.telemetry.logs import configure_logs

    configure_logs(start.config.logging, SystemClock())

    from myelin.app.run import serve as run

    run(start.config, first_start=start.is_first)


def ready(settings: Settings, environ: Mapping[str, str], randomness: Randomness) -> Start:
    """The configuration to serve, with all files made that it needs.

    Raises ConfigError before anything is written if a setting is wrong.
    """
    file = settings.config_file(environ)
    loaded = load_settings(settings, environ)
    made_key = prepare(loaded.config, randomness)
    # The config file comes last of all, so that a start that was cut short counts as none.
    is_first = not file.exists() and write_config(file, loaded)
    if is_first:
        sys.stdout.write(_welcome(settings, environ, loaded.config))
        sys.stdout.flush()
    elif made_key:
        sys.stderr.write(f"myelin: there was no signing key; made {loaded.config.signing_key_path.absolute()}\n")
    return Start(loaded.config, is_first)


def _welcome(settings: Settings, environ: Mapping[str, str], config: Config) -> str:
    where = ["--config", settings.config] if settings.config else ["--data", settings.data] if settings.data else []
    command = shlex.join(["myelin", "user", "create", "NAME", "--admin", *(part for part in where if part)])
    return (
        f"Made {settings.config_file(environ).absolute()} and {config.signing_key_path.absolute()}: "
        f"the server {config.server.name} begins.\n"
        f"Create the first user with:\n\n    {command}\n\n"
    )


def parse(arguments: Sequence[str]) -> Settings:
    """The options; ends the program if they are wrong or ask for help."""
    given = _parser().parse_args(arguments)
    return Settings(
        given.data,
        given.config,
        given.set,
        given.server_name,
        given.listen,
        given.registration,
        given.listen_tls,
        given.tls_cert,
        given.tls_key,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        complain(f"serve: {message}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        "myelin serve",
        description="Run the server. The first start makes its folders, config file and signing key.",
        allow_abbrev=False,
    )
    parser.add_argument("--data", metavar="DIR", help="folder of the config file, key, database and media [./data]")
    parser.add_argument("--config", metavar="FILE", help="config file [DIR/myelin.toml]")
    parser.add_argument("--server-name", metavar="NAME", help="what stands after the colon in user IDs [localhost]")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", action="append", default=[], help="address to listen on; repeatable"
    )
    parser.add_argument(
        "--listen-tls", metavar="HOST:PORT", action="append", default=[], help="address for HTTPS; repeatable"
    )
    parser.add_argument("--tls-cert", metavar="FILE", help="PEM file with the certificate chain for --listen-tls")
    parser.add_argument("--tls-key", metavar="FILE", help="PEM file with the certificate's private key")
    parser.add_argument("--registration", metavar="open|token|closed", help="who may make an account [closed]")
    parser.add_argument(
        "--set", metavar="SECTION.KEY=VALUE", action="append", default=[], help="any setting; repeatable"
    )
    return parser
