"""The lock files hold what the project asks for, by hash, and name no place that packages come from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
NODE_LOCK = ROOT / "tests/peers/js/package-lock.json"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pinned(lock: str) -> dict[str, str]:
    """Return the versions in a lock file, by canonical name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", (ROOT / "requirements" / lock).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        ("run.lock", PROJECT["dependencies"]),
        ("dev.lock", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]),
        ("build.lock", ["setuptools>=77"]),
    ],
)
def test_a_lock_holds_what_is_asked_for(lock: str, asked: list[str]) -> None:
    versions = pinned(lock)
    for requirement in map(Requirement, asked):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not in {lock}: run script/lock"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: {lock} has {version}"


def test_what_is_tested_is_what_runs() -> None:
    run, dev = pinned("run.lock"), pinned("dev.lock")
    assert run.items() <= dev.items()


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_each_pin_has_a_hash_and_no_source(path: Path) -> None:
    text = path.read_text()
    pins = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert pins
    assert all("--hash=sha256:" in pin for pin in pins)
    assert "://" not in text
    assert not re.search(r"^(-i|--index|--extra-index|--find-links)", text, re.MULTILINE)


def test_the_node_packages_are_pinned_by_hash_alone() -> None:
    text = NODE_LOCK.read_text()
    assert '"integrity": "sha512-' in text
    assert '"resolved"' not in text
