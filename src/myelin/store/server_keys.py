"""Keys of other servers, and their last answers about them."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class StoredKey(NamedTuple):
    """A key; `public_key` in Base64."""

    server_name: str
    key_id: str
    public_key: str
    valid_until_ts: int
    is_old: bool


class StoredAnswer(NamedTuple):
    """What a server said of its keys; `answer` is JSON."""

    server_name: str
    answer: str
    fetched_ts: int
    valid_until_ts: int


class OldAnswer(NamedTuple):
    """What a server said of a key that it does not name any more; `answer` is JSON."""

    server_name: str
    key_id: str
    answer: str
    valid_until_ts: int


class ServerKeyStore(Store):
    """Keys by server."""

    @query(
        "SELECT server_name, key_id, public_key, valid_until_ts, is_old FROM server_keys "
        "WHERE server_name IN :server_names"
    )
    async def keys(self, server_names: list[str]) -> list[StoredKey]:
        """All keys that are known of some servers."""

    @query(
        "DELETE FROM server_keys WHERE server_name = :server_name AND key_id NOT IN "
        "(SELECT key_id FROM server_keys WHERE server_name = :server_name "
        "ORDER BY valid_until_ts DESC, key_id LIMIT :most)"
    )
    async def delete_excess(self, server_name: str, most: int) -> int:
        """Forget a server's keys beyond so many, those first that ran out first."""

    @query(
        "SELECT server_name, answer, fetched_ts, valid_until_ts FROM server_key_answers "
        "WHERE server_name IN :server_names ORDER BY server_name"
    )
    async def answers(self, server_names: list[str]) -> list[StoredAnswer]:
        """The last answers of some servers."""

    @query(
        "SELECT server_name, key_id, answer, valid_until_ts FROM old_server_key_answers "
        "WHERE server_name IN :server_names ORDER BY server_name, valid_until_ts DESC"
    )
    async def old_answers(self, server_names: list[str]) -> list[OldAnswer]:
        """The last answers about keys that some servers do not name any more, the newest first."""

    @query(
        "DELETE FROM old_server_key_answers WHERE server_name = :server_name AND key_id NOT IN "
        "(SELECT key_id FROM old_server_key_answers WHERE server_name = :server_name "
        "ORDER BY valid_until_ts DESC, key_id LIMIT :most)"
    )
    async def delete_excess_old_answers(self, server_name: str, most: int) -> int:
        """Forget a server's old answers beyond so many, those first that ran out first."""


_ADD_KEY = (
    "INSERT INTO server_keys (server_name, key_id, public_key, valid_until_ts, is_old) "
    "VALUES (:server_name, :key_id, :public_key, :valid_until_ts, :is_old) ON CONFLICT (server_name, key_id) "
)


@statement(
    _ADD_KEY + "DO UPDATE SET public_key = excluded.public_key, valid_until_ts = excluded.valid_until_ts,"
    " is_old = excluded.is_old"
)
def put_key(server_name: str, key_id: str, public_key: str, valid_until_ts: int, is_old: int) -> Statement:
    """What a server says of a key now."""


@statement(_ADD_KEY + "DO NOTHING")
def add_key(server_name: str, key_id: str, public_key: str, valid_until_ts: int, is_old: int) -> Statement:
    """What a server once said of a key, unless something newer is known."""


@statement(
    "INSERT INTO old_server_key_answers (server_name, key_id, answer, valid_until_ts) "
    "VALUES (:server_name, :key_id, :answer, :valid_until_ts) ON CONFLICT (server_name, key_id) DO UPDATE SET "
    "answer = excluded.answer, valid_until_ts = excluded.valid_until_ts"
)
def put_old_answer(server_name: str, key_id: str, answer: str, valid_until_ts: int) -> Statement:
    """What a server said of a key that it does not name any more."""


@statement(
    "INSERT INTO server_key_answers (server_name, answer, fetched_ts, valid_until_ts) "
    "VALUES (:server_name, :answer, :fetched_ts, :valid_until_ts) ON CONFLICT (server_name) DO UPDATE SET "
    "answer = excluded.answer, fetched_ts = excluded.fetched_ts, valid_until_ts = excluded.valid_until_ts"
)
def put_answer(server_name: str, answer: str, fetched_ts: int, valid_until_ts: int) -> Statement:
    """What a server says of its keys now."""
