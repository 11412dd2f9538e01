"""`myelin room check`."""

from pathlib import Path

import pytest

from inprocess import KEY_LINE
from myelin.cli.main import main


def test_a_room_that_is_not_here_is_said_to_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "signing.key").write_text(KEY_LINE + "\n")
    with pytest.raises(SystemExit) as ended:
        main(["room", "check", "!none:hs1", "--data", str(tmp_path), "--set", "server.name=hs1"])
    assert ended.value.code == 2
    assert "no such room" in capsys.readouterr().err
