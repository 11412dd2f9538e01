"""The commands as a person runs them."""

import io
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from myelin.cli.main import main
from myelin.cli.routes import table
from myelin.config.config import Config
from myelin.config.reference import reference
from myelin.http.endpoint import Auth, Endpoint
from myelin.telemetry import logs


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    code = 0
    try:
        main(list(words))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("MYELIN_")]:
        monkeypatch.delenv(variable)


class TestConfig:
    def test_check_of_a_good_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        (tmp_path / "c.toml").write_text("[server]\nname = 'x.org'\n")
        assert run(capsys, "config", "check", "--config", "c.toml") == (0, "c.toml: good\n", "")

    def test_check_of_a_wrong_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "myelin.toml").write_text("[server]\nnmae = 'x.org'\nlisten = ['a:99999']\n")
        assert run(capsys, "config", "check") == (
            2,
            "",
            "myelin: data/myelin.toml:2: server.nmae is not a known key; did you mean server.name?\n",
        )

    def test_check_of_what_makes_no_sense(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        (tmp_path / "c.toml").write_text("[server]\nlisten = ['a:99999']\n")
        code, _, err = run(capsys, "config", "check", "--config", "c.toml")
        assert (code, err) == (2, "myelin: c.toml:2: server.listen: a:99999 has a port above 65535\n")

    def test_check_warns(self, capsys: pytest.CaptureFixture[str]):
        code, _, err = run(capsys, "config", "check", "--set", "registration.mode=open", "--set", "server.listen=:8008")
        assert code == 0
        assert err == "myelin: warning: --set: registration.mode: anybody who reaches :8008 can make accounts\n"

    def test_show_says_where_values_come_from(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ):
        (tmp_path / "c.toml").write_text("[server]\nname = 'x.org'\n")
        monkeypatch.setenv("MYELIN_REDIS__URL", "redis://:hunter2@h")
        code, out, err = run(capsys, "config", "show", "--config", "c.toml", "--set", "push.enabled=false")
        assert (code, err) == (0, "")
        assert 'name = "x.org"  # c.toml:2\n' in out
        assert 'url = "redis://:********@h"  # MYELIN_REDIS__URL\n' in out
        assert "enabled = false  # --set\n" in out
        assert "hunter2" not in out
        tomllib.loads(out)

    def test_sample_and_schema(self, capsys: pytest.CaptureFixture[str]):
        code, out, _ = run(capsys, "config", "sample")
        assert code == 0
        assert "server" in tomllib.loads(out)
        code, out, _ = run(capsys, "config", "schema")
        assert code == 0
        assert '"$schema"' in out


class TestUserCreate:
    @pytest.fixture
    def created(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str, bool]]:
        made: list[tuple[str, str, str, bool]] = []

        def create_user(config: Config, name: str, password: str, admin: bool) -> None:
            made.append((config.server.name, name, password, admin))

        module: Any = ModuleType("myelin.app.offline")
        module.create_user = create_user
        monkeypatch.setitem(sys.modules, "myelin.app.offline", module)
        monkeypatch.setattr(logs, "configure_logs", lambda *_: None)
        return made

    def test_password_from_standard_input(
        self, created: list[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(sys, "stdin", io.StringIO(" correct horse \r\nsecond line\n"))
        assert run(capsys, "user", "create", "alice", "--password-stdin") == (0, "Created @alice:localhost\n", "")
        assert created == [("localhost", "alice", " correct horse ", False)]

    def test_password_from_a_file(self, created: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        (tmp_path / "p").write_text("correct horse\n")
        words = ("user", "create", "alice", "--admin", "--password-file", "p", "--set", "server.name=x.org")
        assert run(capsys, *words) == (0, "Created @alice:x.org\n", "")
        assert created == [("x.org", "alice", "correct horse", True)]

    @pytest.mark.parametrize(
        ("answers", "code", "err"),
        [
            (["horse", "horse"], 0, ""),
            (["horse", "house"], 2, "myelin: the passwords are not the same\n"),
            ([""], 2, "myelin: the password is empty\n"),
        ],
    )
    def test_password_by_prompt(
        self,
        created: list[Any],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        answers: list[str],
        code: int,
        err: str,
    ):
        given = iter(answers)
        monkeypatch.setattr("getpass.getpass", lambda _: next(given))
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        assert run(capsys, "user", "create", "alice")[::2] == (code, err)
        assert [row[2] for row in created] == ([answers[0]] if code == 0 else [])

    @pytest.mark.parametrize(
        ("words", "problem"),
        [
            ([], "there is no terminal to ask for the password; use --password-stdin or --password-file"),
            (["--password-stdin"], "the password from standard input is empty"),
            (["--password-file", "none"], "none: No such file or directory"),
            (["--password-file", "."], ".: Is a directory"),
            (
                ["--password-file", "none", "--password-stdin"],
                "--password-stdin and --password-file exclude each other",
            ),
            (["hunter2"], "Got unexpected extra argument(s) (hunter2)"),
            (["--set", "server.nmae=x"], "--set: server.nmae is not a known key; did you mean server.name?"),
        ],
    )
    def test_mistakes(
        self,
        created: list[Any],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        words: list[str],
        problem: str,
    ):
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        assert run(capsys, "user", "create", "alice", *words) == (2, "", f"myelin: {problem}\n")
        assert created == []


class TestUsage:
    @pytest.mark.parametrize(
        ("words", "err"),
        [
            (["nope"], "myelin: No such command 'nope'.\n"),
            (["config", "check", "--nope"], "myelin: No such option: --nope\n"),
            (["user", "create"], "myelin: Missing argument 'NAME'.\n"),
        ],
    )
    def test_a_mistake_is_one_line(self, words: list[str], err: str, capsys: pytest.CaptureFixture[str]):
        assert run(capsys, *words) == (2, "", err)

    def test_no_command_shows_the_help(self, capsys: pytest.CaptureFixture[str]):
        code, out, err = run(capsys)
        assert (code, out) == (2, "")
        for command in ("serve", "version", "routes", "user", "config"):
            assert re.search(rf"^  {command} ", err, re.MULTILINE)

    def test_version(self, capsys: pytest.CaptureFixture[str]):
        code, out, _ = run(capsys, "version")
        assert code == 0
        assert re.fullmatch(r"myelin \d+\.\d+\.\d+\n", out)

    def test_help_imports_nothing_of_the_server(self):
        """That is what keeps it quick; how quick depends on the machine, and is no matter for a test."""
        code = (
            "import sys\n"
            "from myelin.cli.main import main\n"
            "try:\n    main(['--help'])\n"
            "except SystemExit:\n    pass\n"
            "print(sorted({'aiohttp', 'asyncpg', 'nacl', 'myelin.app.build', 'myelin.db.sqlite'} & set(sys.modules)))\n"
        )
        shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        assert "Commands:" in shown
        assert shown.endswith("[]\n")

    def test_serving_does_not_import_what_commands_need(self):
        code = (
            "import sys, myelin.cli.main, myelin.cli.serve, myelin.telemetry.logs; "
            "sys.exit(', '.join({'typer', 'rich', 'prometheus_client', 'attr'} & set(sys.modules)) or 0)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_a_reader_that_goes_away_is_no_error(self):
        command = f"{sys.executable} -m myelin.cli.main config sample | head -c 1"
        ended = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert (ended.stdout, ended.stderr) == ("#", "")

    def test_the_docs_page_is_what_its_command_prints(self):
        printed = subprocess.run(
            [sys.executable, "-m", "myelin.config.reference"], check=True, capture_output=True, text=True
        ).stdout
        assert printed == reference()


async def _nothing() -> None: ...


def test_the_routes_table():
    endpoints = [
        Endpoint("sync", "GET", "/b/sync", "sync", Auth.USER, _nothing),
        Endpoint("login", "POST", "/a/login", "login", Auth.NONE, _nothing, limit="login", also=("/z/login",)),
    ]
    assert table(endpoints, wide=False) == (
        "POST\t/a/login\tnone\tlogin\tlogin\nGET\t/b/sync\tuser\t-\tsync\nPOST\t/z/login\tnone\tlogin\tlogin\n"
    )
    assert table(endpoints, wide=True).splitlines()[1] == "GET   /b/sync   user  -      sync"
    assert table([], wide=True) == ""
