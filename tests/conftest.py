"""Fixtures that every test may ask for."""

import itertools
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from postgres import Cluster, database_name, shared_cluster

_numbers = itertools.count()

# How long an example takes is the machine's business, and not what is tested.
settings.register_profile("myelin", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("myelin")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One private PostgreSQL cluster for the whole run, shared by its worker processes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with shared_cluster(folder) as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres_server: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a new, empty database that is this test's own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = database_name(request.node.name, worker, next(_numbers))
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)
