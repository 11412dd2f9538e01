"""What every test of the command line needs."""

import pytest

from myelin.telemetry import logs


@pytest.fixture(autouse=True)
def unconfigured_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in this process: what they say of logs must not outlive their captured output."""
    monkeypatch.setattr(logs, "configure_logs", lambda *_: None)
