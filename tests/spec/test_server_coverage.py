"""The Server-Server API, whole: each operation is served, and under its own name."""

import re

import pytest

from myelin.api.table import declared_endpoints
from myelin.http.endpoint import Auth
from spec_coverage import shapes
from spec_schema import check_answer, server_operations

OPERATIONS_OF_THE_SPEC = 36
NOT_OURS = frozenset({"askPolicyServerToSign"})
"""What only a policy server does; this server asks it."""
WITHOUT_SIGNATURE = re.compile(r"/_matrix/key/v2/|/\.well-known/|/version$|/openid/userinfo$|/3pid/onbind$")
"""What others may ask without proving who they are, as the spec has it."""


def test_every_operation_of_the_spec_is_known():
    assert len(server_operations()) == OPERATIONS_OF_THE_SPEC


def test_every_operation_is_served():
    served = {shape for endpoint in declared_endpoints() for shape in shapes(endpoint)}
    missing = {o.operation_id for o in server_operations() if (o.method, o.shape) not in served}
    assert missing == NOT_OURS


def test_whoever_asks_as_a_server_has_to_prove_it():
    asked = {(o.method, o.shape) for o in server_operations()}
    endpoints = [e for e in declared_endpoints() if asked.intersection(shapes(e))]
    open_to_all = {e.path for e in endpoints if e.auth is not Auth.SERVER}
    assert {path for path in open_to_all if WITHOUT_SIGNATURE.search(path) is None} == set()
    assert {e.path for e in endpoints if e.auth is Auth.SERVER and WITHOUT_SIGNATURE.search(e.path)} == set()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_matrix/key/v2/server", b'{"server_name":"a"}'),
        ("/_matrix/federation/v1/query/profile?user_id=@a:b", b'{"displayname":5}'),
        ("/_matrix/federation/v1/state_ids/!a", b'{"auth_chain_ids":[]}'),
    ],
)
def test_an_answer_that_is_not_as_the_spec_says_fails_a_test(path: str, body: bytes):
    with pytest.raises(AssertionError):
        check_answer("GET", path, 200, "application/json", body)
