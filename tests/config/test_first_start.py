"""The first start makes what a server needs, and nothing that is there is touched."""

import base64
import stat
from pathlib import Path

import pytest

from myelin.config.config import Config
from myelin.config.entries import override_entries
from myelin.config.first_start import prepare, signing_key_line, write_config
from myelin.config.load import load, load_config
from myelin.config.new_files import write_new_file
from myelin.config.problems import ConfigError


class Dice:
    """Randomness that can be foreseen."""

    def token_bytes(self, count: int) -> bytes:
        return bytes(range(count))

    def string(self, length: int, alphabet: str) -> str:
        return alphabet[:length]


def config_in(folder: Path) -> Config:
    return load_config(None, [f"server.data_directory={folder}"], {})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_line_is_as_other_tools_read_it():
    assert signing_key_line(Dice()) == "ed25519 a_abcd AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
    seed = signing_key_line(Dice()).split()[2]
    assert base64.b64decode(seed + "=") == bytes(range(32))


def test_folders_and_key_are_for_the_owner_alone(tmp_path: Path):
    data = tmp_path / "deep" / "data"
    assert prepare(config_in(data), Dice())
    assert [mode(data), mode(data / "media"), mode(data.parent)] == [0o700] * 3
    assert mode(data / "signing.key") == 0o600
    assert sorted(path.name for path in data.iterdir()) == ["media", "signing.key"]


def test_a_second_start_reuses_everything(tmp_path: Path):
    tmp_path.chmod(0o755)
    (tmp_path / "signing.key").write_text("mine")
    assert not prepare(config_in(tmp_path), Dice())
    assert (tmp_path / "signing.key").read_text() == "mine"
    assert mode(tmp_path) == 0o755


def test_what_the_command_line_gave_is_in_the_file_and_nothing_else(tmp_path: Path):
    file = tmp_path / "myelin.toml"
    (tmp_path / "secret").write_text("redis://:hunter2@h")
    overrides = [
        f"server.data_directory={tmp_path}",
        "server.name=x.org",
        "rate_limits.joins.burst=7",
        f"redis.url_file={tmp_path}/secret",
    ]
    loaded = load(None, {"MYELIN_PUSH__ENABLED": "false"}, override_entries(overrides))
    assert write_config(file, loaded)
    assert mode(file) == 0o600
    assert "hunter2" not in file.read_text()
    again = load(file, {}, override_entries([]))
    assert again.config.server == loaded.config.server
    assert again.config.rate_limits == loaded.config.rate_limits
    assert again.config.redis == loaded.config.redis
    assert again.config.push.enabled
    assert "data_directory" not in [path[1] for path in again.origins]


def test_a_data_directory_elsewhere_is_in_the_file(tmp_path: Path):
    file = tmp_path / "etc" / "myelin.toml"
    write_config(file, load(None, {}, override_entries([f"server.data_directory={tmp_path}/data"])))
    assert load_config(file, [], {}).data_directory == tmp_path / "data"


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path):
    file = tmp_path / "myelin.toml"
    file.write_text("# mine")
    assert not write_config(file, load(None, {}, override_entries([])))
    assert not write_new_file(file, "other")
    assert file.read_text() == "# mine"
    assert [path.name for path in tmp_path.iterdir()] == ["myelin.toml"]


def test_a_disk_that_refuses_is_a_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file"):
        prepare(config_in(tmp_path / "file" / "data"), Dice())
