"""What the administrator does without a running server."""

import asyncio
from pathlib import Path

import pytest

from inprocess import make_config, running_server
from myelin.app.offline import (
    create_registration_token,
    create_user,
    delete_registration_token,
    registration_tokens,
    set_admin,
    set_password,
)
from myelin.config.config import Config
from myelin.config.sections.accounts import Registration
from myelin.config.sections.identity import Captcha, Identity
from myelin.config.sections.mail import Mail
from myelin.matrix.errors import InvalidUsername, NotFound, UserInUse


def config_at(folder: Path) -> Config:
    """Registration is closed to everybody else."""
    return make_config(folder, registration=Registration())


def test_an_administrator_is_made_before_the_first_start(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    assert create_user(config, "admin", "correct horse", True) == "@admin:hs1"
    with pytest.raises(UserInUse):
        create_user(config, "Admin", "correct horse")
    with pytest.raises(InvalidUsername):
        create_user(config, "two words", "correct horse")

    async def signs_in() -> None:
        async with running_server(config) as server:
            admin = await server.login("admin")
            assert "m.account_moderation" in (await admin.get("capabilities"))["capabilities"]

    asyncio.run(signs_in())


def test_a_server_that_sends_mail_and_text_messages_has_users_too(tmp_path: Path) -> None:
    config = make_config(
        tmp_path,
        mail=Mail(smtp_host="127.0.0.1"),
        identity=Identity(msisdn_delegate="https://id.example.org"),
        captcha=Captcha(public_key="a", private_key="b"),
    )
    assert create_user(config, "alice", "correct horse") == "@alice:hs1"


def test_passwords_and_rights_are_changed(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    create_user(config, "alice", "correct horse")
    assert set_password(config, "alice", "battery staple") == "@alice:hs1"
    assert set_admin(config, "alice", is_admin=True) == "@alice:hs1"
    with pytest.raises(NotFound):
        set_password(config, "nobody", "x")

    async def signs_in() -> None:
        async with running_server(config) as server:
            alice = await server.login("alice", "battery staple")
            assert "m.account_moderation" in (await alice.get("capabilities"))["capabilities"]

    asyncio.run(signs_in())


def test_registration_tokens(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    made = create_registration_token(config, "welcome", uses_allowed=3)
    assert [t.token for t in registration_tokens(config)] == [made.token] == ["welcome"]
    delete_registration_token(config, "welcome")
    assert registration_tokens(config) == []
