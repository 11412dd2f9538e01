"""The Client-Server API, whole: each operation is served under its own name, bound to a part, and tested."""

from pathlib import Path

import pytest

from inprocess import make_config
from myelin.api.table import declared_endpoints
from myelin.app.build import build_parts, lay_ground
from myelin.http.endpoint import Endpoint
from myelin.telemetry.ambient import SystemClock, SystemRandomness
from spec_coverage import PAGE, Covered, coverage, not_yet, page, shapes
from spec_schema import check_answer, operations, operations_of, snake_case

OPERATIONS_OF_THE_SPEC = 166
MOST_NOT_SERVED = 0
"""May only become less."""


@pytest.fixture(scope="module")
def covered() -> list[Covered]:
    return coverage()


async def _bound(folder: Path) -> set[tuple[str, str]]:
    """What the parts of a server serve."""
    ground = await lay_ground(make_config(folder), SystemClock(), SystemRandomness())
    parts = build_parts(ground)
    try:
        return {shape for part in parts for table in part.endpoints for e in table for shape in shapes(e)}
    finally:
        for part in reversed(parts):
            for close in part.close:
                await close()
        await ground.database.close()


def _names(endpoint: Endpoint) -> set[str]:
    """What the spec calls the endpoint: two operations may share a path."""
    return {o.name for o in operations() if (o.method, o.shape) in shapes(endpoint)}


def test_every_operation_of_the_spec_is_known():
    assert len(operations()) == OPERATIONS_OF_THE_SPEC


def test_what_is_not_served_is_on_the_list_and_nothing_else(covered: list[Covered]):
    missing = {one.operation.operation_id for one in covered if one.endpoint is None}
    assert missing - not_yet() == set(), "served before, or never"
    assert not_yet() - missing == set(), "served now: take it off tests/spec/not-yet.txt"
    assert len(not_yet()) <= MOST_NOT_SERVED


def test_what_is_served_is_tested(covered: list[Covered]):
    assert [one.operation.operation_id for one in covered if one.endpoint is not None and not one.tests] == []


def test_every_function_has_its_operations_name():
    wrong = [(e.name, names) for e in declared_endpoints() if (names := _names(e)) and e.name not in names]
    assert wrong == []


async def test_every_declared_endpoint_is_bound(tmp_path: Path):
    bound = await _bound(tmp_path)
    assert [e.name for e in declared_endpoints() if not bound.issuperset(shapes(e))] == []


def test_the_page_is_the_generated_one():
    assert PAGE.read_text() == page(), "run script/spec-coverage"


@pytest.mark.parametrize(
    ("operation_id", "name"),
    [
        ("getAccount3PIDs", "get_account_3pids"),
        ("delete3pidFromAccount", "delete_3pid_from_account"),
        ("requestTokenTo3PIDMSISDN", "request_token_to_3pid_msisdn"),
        ("redirectToIdP", "redirect_to_idp"),
        ("redirectToSSO", "redirect_to_sso"),
        ("uploadContentToMXC", "upload_content_to_mxc"),
        ("inviteBy3PID", "invite_by_3pid"),
        ("sync", "sync"),
    ],
)
def test_names(operation_id: str, name: str):
    assert snake_case(operation_id) == name


class TestTheContract:
    """The check that every test's client makes does refuse something."""

    def test_a_request_finds_its_operation(self):
        found = operations_of("GET", "/_matrix/client/v3/rooms/!x:y/state/m.room.topic/")
        assert [o.operation_id for o in found] == []
        found = operations_of("PUT", "/_matrix/client/v3/rooms/!x:y/send/m.x/1")
        assert [o.operation_id for o in found] == ["sendMessage"]
        assert [o.operation_id for o in operations_of("GET", "/_matrix/client/v3/pushrules/global/")] == [
            "getPushRulesGlobal"
        ]

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, b'{"event_id":5}'),
            (200, b"{}"),
            (201, b'{"event_id":"$x"}'),
            (403, b'{"error":"no code"}'),
            (404, b'{"errcode":"M_NOT_FOUND"}'),
        ],
    )
    def test_what_the_spec_does_not_say_is_refused(self, status: int, body: bytes):
        with pytest.raises((AssertionError, KeyError)):
            check_answer("PUT", "/_matrix/client/v3/rooms/!x:y/send/m.x/1", status, "application/json", body)

    def test_what_the_spec_says_is_taken(self):
        path = "/_matrix/client/r0/rooms/!x:y/send/m.x/1"
        check_answer("PUT", path, 200, "application/json", b'{"event_id":"$x"}')
        check_answer("PUT", path, 403, "application/json", b'{"errcode":"M_FORBIDDEN","error":"no"}')

    def test_an_answer_in_another_format_is_refused(self):
        with pytest.raises(AssertionError):
            check_answer("GET", "/_matrix/client/versions", 200, "text/plain", b"")
