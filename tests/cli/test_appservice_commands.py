"""`myelin appservice ...` as a person runs it, beside a server and alone."""

import asyncio
from pathlib import Path

import pytest
import yaml

from appservice import AS_TOKEN, HS_TOKEN, registration, scripted_appservice
from inprocess import KEY_LINE, Client, make_config, running_server
from myelin.cli.main import main
from myelin.telemetry import logs
from polling import until


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What names the configuration of `make_config`."""
    # The command is the process's first and last thing; here it must not take the log from the tests after it.
    monkeypatch.setattr(logs, "configure_logs", lambda *_: None)
    (tmp_path / "signing.key").write_text(KEY_LINE + "\n")
    return ["--data", str(tmp_path), "--set", "server.name=hs1"]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = 0
    try:
        main(["appservice", *words])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    out, err = capsys.readouterr()
    return code, out, err


def written(folder: Path, **fields: object) -> str:
    path = folder / f"{fields.get('id', 'irc')}.yaml"
    path.write_text(yaml.safe_dump(registration(**fields)))  # type: ignore[arg-type]
    return str(path)


def test_add_list_and_remove(tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path)
    assert run(capsys, "add", file, *options) == (0, "Added irc: it acts as @ircbot:hs1\n", "")
    other = written(tmp_path, id="xmpp", as_token="x", sender_localpart="xmpp", namespaces={}, url="http://h:1/")
    code, out, err = run(capsys, "list", *options, "--set", f'appservices.registrations=["{other}"]')
    assert (code, out, err) == (0, "xmpp\t@xmpp:hs1\thttp://h:1\tconfigured\nirc\t@ircbot:hs1\t-\tadded\n", "")
    assert run(capsys, "remove", "irc", *options) == (0, "Removed irc\n", "")
    assert run(capsys, "list", *options) == (0, "", "")
    assert run(capsys, "remove", "irc", *options) == (2, "", "myelin: no application service irc was added\n")


def test_the_same_id_again_changes_it(tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", written(tmp_path), *options)
    run(capsys, "add", written(tmp_path, url="http://elsewhere:1"), *options)
    assert run(capsys, "list", *options)[1] == "irc\t@ircbot:hs1\thttp://elsewhere:1\tadded\n"


def test_what_cannot_be_added(tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    wrong = written(tmp_path, id="wrong", namespaces={"users": [{"exclusive": True, "regex": "("}]}, url="ftp://x")
    code, out, err = run(capsys, "add", wrong, *options)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert [line.startswith(f"myelin: {wrong}: ") for line in lines] == [True, True]
    assert "url must be" in lines[0]
    assert "namespaces.users[0].regex is not an expression" in lines[1]
    run(capsys, "add", written(tmp_path), *options)
    code, _, err = run(capsys, "add", written(tmp_path, id="again"), *options)
    assert code == 2
    assert "irc and again have the same as_token" in err
    assert "overlap: @irc_.* and @irc_.*" in err
    assert AS_TOKEN not in err
    assert run(capsys, "add", str(tmp_path / "none.yaml"), *options)[0] == 2
    configured = ["--set", f'appservices.registrations=["{written(tmp_path)}"]']
    _, _, err = run(capsys, "remove", "nothing", *options, *configured)
    assert err == "myelin: no application service nothing was added\n"


def test_ping(tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", written(tmp_path, url="http://127.0.0.1:1"), *options)
    code, _, err = run(capsys, "ping", "irc", *options)
    assert code == 2
    assert err.startswith("myelin: The application service cannot be reached")
    assert HS_TOKEN not in err
    assert run(capsys, "ping", "other", *options) == (2, "", "myelin: there is no application service other\n")


async def test_a_running_server_notices_what_was_added_and_removed(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    async with scripted_appservice() as appservice, running_server(make_config(tmp_path)) as server:
        bot = Client(server.session, server.base, AS_TOKEN)
        (await bot("GET", "account/whoami")).error(401, "M_UNKNOWN_TOKEN")
        file = written(tmp_path, url=appservice.url)
        appservice.answers["/_matrix/app/v1/ping"] = {}
        assert (await asyncio.to_thread(run, capsys, "add", file, *options))[0] == 0
        await _until(bot, 200)
        pinged = await asyncio.to_thread(run, capsys, "ping", "irc", *options)
        assert pinged[1].startswith("irc answered in ")
        room_id = await bot.create_room()
        event_id = await bot.send(room_id, "hello")
        await appservice.gets(event_id)
        assert (await asyncio.to_thread(run, capsys, "remove", "irc", *options))[0] == 0
        await _until(bot, 401)
        (await bot("GET", "account/whoami", user_id="@irc_x:hs1")).error(401, "M_UNKNOWN_TOKEN")


async def _until(bot: Client, status: int) -> None:
    async def is_so() -> bool:
        return (await bot("GET", "account/whoami")).status == status

    await until(is_so)
