"""Values reach the Config from each source, and each wrong one is named with its place."""

from pathlib import Path

import pytest

from myelin.config.config import Config
from myelin.config.entries import override_entries
from myelin.config.load import load, load_config
from myelin.config.problems import ConfigError
from myelin.config.sections.rate_limits import Bucket


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "myelin.toml"


def problems(file: Path | None, text: str = "", overrides: list[str] | None = None, **environ: str) -> list[str]:
    """What the loader says, without the folder of the file."""
    if file is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file, overrides or [], environ)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.problems)
    return [line.replace(f"{file.parent}/", "") if file else line for line in lines]


class TestSources:
    def test_nothing_given_is_all_defaults(self):
        assert load_config(None, [], {}) == Config()

    def test_each_source_outweighs_the_one_before(self, file: Path):
        file.write_text('[server]\nname = "file"\nsupport_page = "https://file"\nsupport_email = "a@file"\n')
        environ = {"MYELIN_SERVER__NAME": "environment", "MYELIN_SERVER__SUPPORT_PAGE": "https://environment"}
        server = load_config(file, ["server.name=command"], environ).server
        assert (server.name, server.support_page, server.support_email) == (
            "command",
            "https://environment",
            "a@file",
        )

    def test_the_later_of_two_overrides_counts(self):
        assert load_config(None, ["server.name=a", "server.name=b"], {}).server.name == "b"

    def test_other_variables_are_no_settings(self):
        environ = {"MYELIN_HOME": "x", "HOME": "/", "MYELINX__Y": "1", "myelin_server__name": "x"}
        assert load_config(None, [], environ) == Config()

    def test_a_bucket_keeps_the_default_of_what_is_not_given(self, file: Path):
        file.write_text("[rate_limits]\nmessage = { burst = 3 }\njoins.per_second = 2\n")
        limits = load_config(file, ["rate_limits.invites.burst=4"], {}).rate_limits
        defaults = Config().rate_limits
        assert limits.message == Bucket(per_second=defaults.message.per_second, burst=3)
        assert limits.joins == Bucket(per_second=2, burst=defaults.joins.burst)
        assert limits.invites.burst == 4

    def test_an_array_of_tables_is_a_list(self, file: Path):
        file.write_text(
            "[[media.thumbnail_sizes]]\nwidth = 5\nheight = 6\n[[media.thumbnail_sizes]]\nwidth=7\nheight=8"
        )
        sizes = load_config(file, [], {}).media.thumbnail_sizes
        assert [(size.width, size.height, size.method) for size in sizes] == [(5, 6, "scale"), (7, 8, "scale")]


class TestOverrideValues:
    @pytest.mark.parametrize(
        ("override", "expected"),
        [
            ("server.name=example.org", "example.org"),
            ('server.name="example.org"', "example.org"),
            ("server.name=1.2.3.4", "1.2.3.4"),
            ("server.name=1.5", "1.5"),
            ("server.name=true", "true"),
        ],
    )
    def test_text_needs_no_quotes(self, override: str, expected: str):
        assert load_config(None, [override], {}).server.name == expected

    @pytest.mark.parametrize("text", ['["a:1", "b:2"]', "a:1,b:2", "a:1, b:2"])
    def test_a_list_may_be_parted_by_commas(self, text: str):
        assert load_config(None, [f"server.listen={text}"], {}).server.listen == ("a:1", "b:2")

    def test_numbers_and_switches(self):
        config = load_config(
            None, ["presence.enabled=false", "push.timeout_ms=5_000"], {"MYELIN_PUSH__ENABLED": "false"}
        )
        assert (config.presence.enabled, config.push.timeout_ms, config.push.enabled) == (False, 5000, False)

    def test_a_value_may_hold_equals_signs(self):
        override = "database.url=postgresql://a@b/c?sslmode=require"
        assert load_config(None, [override], {}).database.url == "postgresql://a@b/c?sslmode=require"


class TestKeys:
    def test_a_misspelt_key(self, file: Path):
        assert problems(file, '[server]\n\nnmae = "x"') == [
            "myelin.toml:3: server.nmae is not a known key; did you mean server.name?"
        ]

    def test_a_misplaced_key_is_sent_to_its_section(self, file: Path):
        assert problems(file, '[server]\nmode = "open"') == [
            "myelin.toml:2: server.mode is misplaced; mode belongs in [registration]"
        ]

    def test_a_key_above_all_sections(self, file: Path):
        assert problems(file, 'default_version = "11"') == [
            "myelin.toml:1: default_version is misplaced; default_version belongs in [rooms]"
        ]

    def test_a_key_of_several_sections(self, file: Path):
        assert problems(file, '[server]\nurl = "x"') == [
            "myelin.toml:2: server.url is misplaced; url belongs in [database] or [redis] or [auth]"
        ]

    def test_a_misspelt_and_misplaced_key(self, file: Path):
        assert problems(file, "[server]\nencryption_by_defalt = 1") == [
            "myelin.toml:2: server.encryption_by_defalt is not a known key; did you mean rooms.encryption_by_default?"
        ]

    def test_a_key_like_no_other(self, file: Path):
        assert problems(file, "[redis]\nzzz = 1") == [
            "myelin.toml:2: redis.zzz is not a known key; [redis] has url, prefix"
        ]

    def test_a_misspelt_section_is_one_problem(self, file: Path):
        assert problems(file, "\n[severs]\nname = 1\nx = 2") == [
            "myelin.toml:2: there is no section [severs]; did you mean [server]?"
        ]

    def test_a_section_like_no_other(self, file: Path):
        (problem,) = problems(file, "[zzz]\nname = 1")
        assert problem.startswith("myelin.toml:1: there is no section [zzz]; the sections are server, database, redis")

    def test_a_section_given_as_a_value(self, file: Path):
        assert problems(file, "redis = 1") == ["myelin.toml:1: [redis] is a section of url, prefix, not a single value"]

    def test_a_key_within_a_bucket(self, file: Path):
        assert problems(file, "[rate_limits.message]\nburts = 1") == [
            "myelin.toml:2: rate_limits.message.burts is not a known key; did you mean rate_limits.message.burst?"
        ]

    def test_a_key_within_a_list(self, file: Path):
        text = "[media]\nthumbnail_sizes = [\n  {width = 1, height = 1},\n  {width = 1, hight = 1},\n]"
        where = "media.thumbnail_sizes[1]"
        assert problems(file, text) == [
            f"myelin.toml:4: {where}.hight is not a known key; did you mean {where}.height?"
        ]

    def test_a_key_below_a_plain_value(self, file: Path):
        assert problems(file, overrides=["server.name.first=1"]) == [
            "--set: server.name.first is not a known key; server.name is not a table"
        ]

    def test_sources_without_lines_are_named(self):
        found = problems(None, overrides=["server.nmae=x"], MYELIN_PUSH__ENABELD="1")
        assert found == [
            "MYELIN_PUSH__ENABELD: push.enabeld is not a known key; did you mean push.enabled?",
            "--set: server.nmae is not a known key; did you mean server.name?",
        ]

    def test_an_override_without_a_value(self):
        assert problems(None, overrides=["hunter2"]) == ["--set: takes section.key=value, and there is no ="]


class TestValues:
    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("media.max_upload_size = '5M'", 'media.max_upload_size = "5M": expected a whole number, got text'),
            ("presence.enabled = 'no'", 'presence.enabled = "no": expected true or false, got text'),
            ("server.name = 5", "server.name = 5: expected text, got a whole number"),
            ("server.name = 'a b'", 'server.name = "a b": must be a host name or address, and a port if it has one'),
            ("server.listen = ['a:1', 5]", "server.listen[1] = 5: expected text, got a whole number"),
            (
                "server.listen = ['a']",
                'server.listen[0] = "a": must be HOST:PORT, [IPV6]:PORT, or :PORT for every address',
            ),
            ("server.listen = []", "server.listen = []: expected a list of length >= 1"),
            ("server.public_url = 'x.org'", 'server.public_url = "x.org": must be an https:// address'),
            ("sync.max_timeline_limit = 1001", "sync.max_timeline_limit = 1001: expected a whole number <= 1000"),
            ("limits.max_json_size = 65_535", "limits.max_json_size = 65_535: expected a whole number >= 65536"),
            ("rate_limits.joins.per_second = 0", "rate_limits.joins.per_second = 0: expected a number > 0.0"),
            ("rate_limits.joins.per_second = nan", "rate_limits.joins.per_second = nan: expected a number > 0.0"),
            ("rate_limits.joins = 5", "rate_limits.joins is a table of per_second, burst, not a single value"),
            (
                "registration.mode = 'Open'",
                'registration.mode = "Open": must be one of "open", "token", "closed"; did you mean "open"?',
            ),
            (
                "media.thumbnail_sizes = [{width = 0, height = 1}]",
                "media.thumbnail_sizes[0].width = 0: expected a whole number >= 1",
            ),
        ],
    )
    def test_a_wrong_value(self, file: Path, text: str, problem: str):
        assert problems(file, f"\n{text}\n") == [f"myelin.toml:2: {problem}"]

    def test_a_missing_part_of_a_list_element(self, file: Path):
        (problem,) = problems(file, "[media]\nthumbnail_sizes = [{width = 1}]")
        assert problem.startswith("myelin.toml:2: media.thumbnail_sizes[0]")
        assert "height" in problem

    def test_at_the_edges_values_are_taken(self):
        config = load_config(None, ["sync.max_timeline_limit=1000", "limits.max_json_size=65536"], {})
        assert (config.sync.max_timeline_limit, config.limits.max_json_size) == (1000, 65_536)

    def test_a_long_value_is_cut(self, file: Path):
        (problem,) = problems(file, f"[server]\nname = '{'a ' * 500}'")
        assert len(problem) < 200

    def test_all_problems_are_told_in_the_order_of_the_file(self, file: Path):
        text = "[server]\nname = 1\n[rooms]\nx = 1\n[push]\nenabled = 0\n"
        found = problems(file, text, ["sync.x=1"])
        assert [line.split(": ")[0] for line in found] == ["myelin.toml:2", "myelin.toml:4", "myelin.toml:6", "--set"]


class TestFiles:
    def test_a_missing_file(self, tmp_path: Path):
        with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
            load_config(tmp_path / "none.toml", [], {})

    def test_a_folder(self, tmp_path: Path):
        with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
            load_config(tmp_path, [], {})

    def test_not_text(self, file: Path):
        file.write_bytes(b"a = '\xff'")
        with pytest.raises(ConfigError, match="is not UTF-8 text"):
            load_config(file, [], {})

    @pytest.mark.parametrize(
        ("text", "line"), [("a = 1\nb = \n", 2), ("[a]\n[a]\n", 2), ("a = 1\na = 2", 2), ('a = 1\n\nb = """', 3)]
    )
    def test_not_toml(self, file: Path, text: str, line: int):
        (problem,) = problems(file, text)
        assert problem.startswith(f"myelin.toml:{line}: not valid TOML: ")

    def test_the_data_directory_is_the_folder_of_the_file(self, file: Path):
        file.write_text("")
        config = load_config(file, [], {})
        assert config.data_directory == file.parent
        assert config.signing_key_path == file.parent / "signing.key"
        assert config.media_path == file.parent / "media"
        assert config.database_url == f"sqlite:///{file.parent}/myelin.db"

    def test_a_relative_path_starts_where_it_is_written(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        file.write_text('[server]\ndata_directory = "state"\n')
        config = load_config(file, ["media.storage_path=pictures"], {})
        assert config.data_directory == file.parent / "state"
        assert config.media_path == elsewhere / "pictures"


class TestSecrets:
    def test_a_secret_from_its_own_file(self, file: Path):
        (file.parent / "url").write_text("redis://:hunter2@localhost\n")
        file.write_text('[redis]\nurl_file = "url"\n')
        loaded = load(file, {}, override_entries([]))
        assert loaded.config.redis.url == "redis://:hunter2@localhost"
        assert str(loaded.origins["redis", "url"]) == f"{file}:2"

    def test_a_secret_file_from_the_environment(self, tmp_path: Path):
        (tmp_path / "url").write_text("redis://localhost")
        assert load_config(None, [], {"MYELIN_REDIS__URL_FILE": f"{tmp_path}/url"}).redis.url == "redis://localhost"

    def test_a_secret_file_that_is_not_there(self, file: Path):
        assert problems(file, '[redis]\nurl_file = "none"') == [
            "myelin.toml:2: redis.url_file: none cannot be read: No such file or directory"
        ]

    def test_only_secrets_have_files(self, file: Path):
        (problem,) = problems(file, '[redis]\nprefix_file = "none"')
        assert "redis.prefix_file is not a known key" in problem

    def test_given_in_both_ways(self, file: Path):
        (file.parent / "url").write_text("redis://a")
        assert problems(file, '[redis]\nurl = "redis://b"\nurl_file = "url"') == [
            "myelin.toml:3: redis.url and redis.url_file are both set; keep one"
        ]

    def test_a_wrong_secret_is_not_shown(self, file: Path):
        (file.parent / "url").write_text("hunter2")
        for text in ("[redis]\nurl = 'hunter2'", "[redis]\nurl = ['hunter2']", "[redis]\nurl_file = 'url'"):
            (problem,) = problems(file, text)
            assert problem.startswith("myelin.toml:2: redis.url")
            assert "hunter2" not in problem
