"""Registration tokens, and what their limits are."""

from pathlib import Path

import pytest

from inprocess import make_config, running_server
from myelin.matrix.errors import InvalidParam, NotFound
from myelin.services.accounts.registration_tokens import RegistrationTokens


async def test_names_and_limits(tmp_path: Path) -> None:
    async with running_server(make_config(tmp_path)) as server:
        tokens: RegistrationTokens = server.app.services[RegistrationTokens]
        made = await tokens.create()
        assert len(made.token) == 24
        assert await tokens.is_valid(made.token)
        await tokens.create("x" * 64, uses_allowed=0)
        assert not await tokens.is_valid("x" * 64)
        for wrong in ("", "x" * 65, "a b", "a/b", "nul\0"):
            with pytest.raises(InvalidParam):
                await tokens.create(wrong)
            assert not await tokens.is_valid(wrong)
        with pytest.raises(InvalidParam):
            await tokens.create("x" * 64)
        with pytest.raises(InvalidParam):
            await tokens.create("y", uses_allowed=-1)
        await tokens.change("x" * 64, uses_allowed=1, expires_ts=None)
        assert await tokens.is_valid("x" * 64)
        await tokens.delete("x" * 64)
        for call in (tokens.delete("x" * 64), tokens.change("none", uses_allowed=1, expires_ts=None)):
            with pytest.raises(NotFound):
                await call
        assert [t.token for t in await tokens.tokens()] == [made.token]
