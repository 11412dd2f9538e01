"""The sample file, the docs page, the schema and `show` say what the Structs say."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from myelin.config.config import Config
from myelin.config.entries import override_entries
from myelin.config.known_keys import known_keys, sections
from myelin.config.load import load, load_config
from myelin.config.reference import reference
from myelin.config.sample import sample
from myelin.config.schema import json_schema
from myelin.config.show import masked, show

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_docs_page_is_the_generated_one():
    assert PAGE.read_text() == reference(), "run: python -m myelin.config.reference > docs/configuration.md"


def test_every_key_is_explained():
    for key in known_keys().values():
        assert key.description.endswith("."), key.dotted
    for name, section in sections().items():
        assert section.__doc__, name


def test_every_number_has_a_least_value():
    for key in known_keys().values():
        if key.type in (int, float):
            assert key.bounds[0] is not None, key.dotted


class TestSample:
    def test_it_changes_nothing(self, tmp_path: Path):
        file = tmp_path / "myelin.toml"
        file.write_text(sample())
        assert load_config(file, [f"server.data_directory={tmp_path}"], {}) == load_config(
            None, [f"server.data_directory={tmp_path}"], {}
        )

    def test_each_key_uncommented_holds_its_default(self, tmp_path: Path):
        file = tmp_path / "myelin.toml"
        file.write_text(re.sub(r"(?m)^# (\w+ = )", r"\1", sample()))
        assert set(tomllib.loads(file.read_text())) == set(sections())
        loaded = load(file, {}, override_entries([]))
        # Each bucket is two keys.
        assert {path[:2] for path in loaded.origins} == {(key.section, key.name) for key in known_keys().values()}
        again = load(None, {}, override_entries([f"server.data_directory={tmp_path}"]))
        assert loaded.config == again.config

    def test_given_values_are_in_effect(self):
        tree = tomllib.loads(sample({("server", "name"): "x.org", ("redis", "url_file"): "/run/secret"}))
        assert {name: keys for name, keys in tree.items() if keys} == {
            "server": {"name": "x.org"},
            "redis": {"url_file": "/run/secret"},
        }


class TestSchema:
    @pytest.mark.parametrize(
        ("text", "is_good"),
        [
            (re.sub(r"(?m)^# (\w+ = )", r"\1", sample()), True),
            ("[redis]\nurl_file = 'x'", True),
            ("[rate_limits]\nmessage = { burst = 1 }", True),
            ("[rate_limits]\nmessage = { burst = 0 }", False),
            ("[server]\nnmae = 'x'", False),
            ("[server]\nname_file = 'x'", False),
            ("[media]\nthumbnail_sizes = [{width = 1}]", False),
            ("x = 1", False),
        ],
    )
    def test_it_takes_what_the_loader_takes(self, text: str, is_good: bool):
        assert jsonschema_rs.is_valid(json.loads(json_schema()), tomllib.loads(text)) is is_good


class TestShow:
    def test_it_is_toml_with_origins(self, tmp_path: Path):
        file = tmp_path / "myelin.toml"
        file.write_text("[server]\nname = 'x.org'\n")
        shown = show(load(file, {"MYELIN_PUSH__ENABLED": "false"}, override_entries(["rate_limits.joins.burst=3"])))
        assert set(tomllib.loads(shown)) == set(sections())
        commented = [line for line in shown.splitlines() if "  # " in line]
        assert commented == [
            f'name = "x.org"  # {file}:2',
            "joins = { per_second = 0.5, burst = 3 }  # --set",
            "enabled = false  # MYELIN_PUSH__ENABLED",
        ]

    def test_no_secret_is_shown(self):
        overrides = ["database.url=postgresql://me:hunter2@host/name?password=hunter2", "redis.url=redis://:hunter2@h"]
        shown = show(load(None, {}, override_entries(overrides)))
        assert "hunter2" not in shown
        assert 'url = "postgresql://me:********@host/name?********"' in shown

    @pytest.mark.parametrize(
        ("secret", "shown"),
        [
            ("hunter2", "********"),
            ("redis://h:1/0", "redis://h:1/0"),
            ("redis://hunter2@h", "redis://********@h"),
            ("redis://u:hun@ter2@h", "redis://u:********@h"),
            ("sqlite:////var/x.db", "sqlite:////var/x.db"),
        ],
    )
    def test_an_address_keeps_what_is_not_secret(self, secret: str, shown: str):
        assert masked(secret) == shown


def test_the_public_url_is_worked_out():
    assert Config().public_url == "http://localhost:8008"
    assert load_config(None, ["server.name=x.org"], {}).public_url == "https://x.org"
    assert load_config(None, ["server.public_url=https://m.x.org/"], {}).public_url == "https://m.x.org"
