"""`myelin serve` up to the point where the server takes over."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from myelin.cli import serve
from myelin.cli.main import main
from myelin.cli.settings import Settings
from myelin.config.config import Config
from myelin.config.problems import ConfigError
from myelin.matrix.errors import MyelinError
from myelin.telemetry import logs
from myelin.telemetry.ambient import SystemRandomness


class Server:
    """Stands in for the server: keeps what it was started with."""

    def __init__(self) -> None:
        self.started: list[tuple[Config, bool]] = []
        self.fails: BaseException | None = None

    def serve(self, config: Config, *, first_start: bool) -> None:
        self.started.append((config, first_start))
        if self.fails:
            raise self.fails


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    server = Server()
    module: Any = ModuleType("myelin.app.run")
    module.serve = server.serve
    monkeypatch.setitem(sys.modules, "myelin.app.run", module)
    monkeypatch.setattr(logs, "configure_logs", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return server


def test_a_first_start_makes_everything_and_says_what_comes_next(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    main(
        [
            "serve",
            "--server-name",
            "x.org",
            "--listen",
            "127.0.0.1:0",
            "--listen",
            "[::1]:0",
            "--set",
            "push.enabled=false",
        ]
    )
    ((config, is_first),) = server.started
    assert is_first
    assert (config.server.name, config.server.listen) == ("x.org", ("127.0.0.1:0", "[::1]:0"))
    data = tmp_path / "data"
    assert {path.name for path in data.iterdir()} == {"myelin.toml", "signing.key", "media"}
    out = capsys.readouterr().out
    assert f"Made {data}/myelin.toml and {data}/signing.key" in out
    assert "\n    myelin user create NAME --admin\n" in out

    main(["serve"])
    config, is_first = server.started[1]
    assert not is_first
    assert (config.server.name, config.server.listen) == ("x.org", ("127.0.0.1:0", "[::1]:0"))
    assert not config.push.enabled
    assert config.data_directory == data
    assert capsys.readouterr().out == ""


def test_a_second_start_reuses_the_key_and_the_file(server: Server, tmp_path: Path):
    main(["serve", "--data", "d"])
    before = {path.name: path.read_text() for path in (tmp_path / "d").iterdir() if path.is_file()}
    main(["serve", "--data", "d", "--server-name", "other.org"])
    assert {path.name: path.read_text() for path in (tmp_path / "d").iterdir() if path.is_file()} == before
    assert server.started[1][0].server.name == "other.org"


def test_the_next_command_names_the_data_directory(server: Server, capsys: pytest.CaptureFixture[str]):
    main(["serve", "--data", "my data"])
    assert "myelin user create NAME --admin --data 'my data'" in capsys.readouterr().out


def test_a_start_that_was_cut_short_counts_as_none(server: Server, tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "signing.key").write_text("mine")
    main(["serve", "--server-name", "x.org"])
    assert server.started[0][1]
    assert (tmp_path / "data" / "signing.key").read_text() == "mine"


def test_a_lost_key_is_made_anew_and_said(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main(["serve"])
    key = tmp_path / "data" / "signing.key"
    key.unlink()
    main(["serve"])
    assert key.exists()
    assert f"there was no signing key; made {key}" in capsys.readouterr().err
    assert not server.started[1][1]


def test_the_data_directory_may_come_from_the_environment(tmp_path: Path):
    environ = {"MYELIN_SERVER__DATA_DIRECTORY": str(tmp_path / "e")}
    start = serve.ready(Settings(), environ, SystemRandomness())
    assert start.config.data_directory == tmp_path / "e"
    assert (tmp_path / "e" / "myelin.toml").exists()
    assert not serve.ready(Settings(), environ, SystemRandomness()).is_first


def test_wrong_settings_write_nothing(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--server-name", "a b", "--registration", "opn", "--set", "server.nmae=x"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        'myelin: --server-name: server.name = "a b": must be a host name or address, and a port if it has one',
        'myelin: --registration: registration.mode = "opn": must be one of "open", "token", "closed"',
        "myelin: --set: server.nmae is not a known key; did you mean server.name?",
    ]
    assert list(tmp_path.iterdir()) == []
    assert server.started == []


def test_a_config_file_that_is_named_must_be_there(tmp_path: Path):
    with pytest.raises(ConfigError, match="--config: there is no file"):
        serve.ready(Settings(config=str(tmp_path / "none.toml")), {}, SystemRandomness())
    assert list(tmp_path.iterdir()) == []


def test_set_outweighs_the_short_options():
    settings = serve.parse(["--set", "server.name=b", "--server-name", "a"])
    assert [(str(entry.origin), entry.value) for entry in settings.entries()] == [
        ("--server-name", "a"),
        ("--set", "b"),
    ]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MyelinError("the database belongs to the server x.org"), "the database belongs to the server x.org"),
        (OSError(98, "address 127.0.0.1:8008 is taken"), "address 127.0.0.1:8008 is taken"),
    ],
)
def test_a_server_that_cannot_run_says_so_in_a_line(
    server: Server, capsys: pytest.CaptureFixture[str], error: Exception, line: str
):
    server.fails = error
    with pytest.raises(SystemExit) as ended:
        main(["serve"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"myelin: {line}\n"


def test_an_error_of_ours_keeps_its_traceback(server: Server):
    server.fails = KeyError("bug")
    with pytest.raises(KeyError):
        main(["serve"])


@pytest.mark.parametrize("arguments", [["--nope"], ["--serv=x"], ["--data"], ["extra"]])
def test_wrong_options(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["serve", *arguments])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
