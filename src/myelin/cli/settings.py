"""From the options that commands share to the configuration in effect."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from myelin.config.config import DEFAULT_DATA_DIRECTORY
from myelin.config.entries import Entry, override_entries
from myelin.config.first_start import CONFIG_FILE_NAME
from myelin.config.load import Loaded, load
from myelin.config.problems import ConfigError, Origin, Problem
from myelin.config.toml_values import toml_value

DATA_DIRECTORY_VARIABLE = "MYELIN_SERVER__DATA_DIRECTORY"


class Settings(NamedTuple):
    """What a command line says of the configuration."""

    data: str | None = None
    config: str | None = None
    sets: Sequence[str] = ()
    server_name: str | None = None
    listen: Sequence[str] = ()
    registration: str | None = None
    listen_tls: Sequence[str] = ()
    tls_certificate: str | None = None
    tls_private_key: str | None = None

    def data_folder(self, environ: Mapping[str, str]) -> Path:
        """Where the config file is, if it is not named."""
        return Path(self.data or environ.get(DATA_DIRECTORY_VARIABLE) or DEFAULT_DATA_DIRECTORY)

    def config_file(self, environ: Mapping[str, str]) -> Path:
        """Where the config file is, or will be after the first start."""
        return Path(self.config) if self.config else self.data_folder(environ) / CONFIG_FILE_NAME

    def entries(self) -> Iterator[Entry]:
        """The values given; `--set` outweighs the options that are short for it."""
        options: list[tuple[str, str, str | Sequence[str] | None]] = [
            ("--data", "server.data_directory", self.data),
            ("--server-name", "server.name", self.server_name),
            ("--listen", "server.listen", self.listen),
            ("--listen-tls", "server.listen_tls", self.listen_tls),
            ("--tls-cert", "server.tls_certificate", self.tls_certificate),
            ("--tls-key", "server.tls_private_key", self.tls_private_key),
            ("--registration", "registration.mode", self.registration),
        ]
        for option, key, value in options:
            if value:
                yield from override_entries([f"{key}={toml_value(value)}"], option)
        yield from override_entries(self.sets)


def load_settings(settings: Settings, environ: Mapping[str, str]) -> Loaded:
    """The configuration in effect, from the config file if there is one.

    Raises ConfigError, also if a file that is named is not there.
    """
    file = settings.config_file(environ)
    if settings.config and not file.exists():
        raise ConfigError([Problem(Origin("--config"), f"there is no file {file}")])
    return load(file if file.exists() else None, environ, settings.entries())
