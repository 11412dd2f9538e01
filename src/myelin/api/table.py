"""The route table: every endpoint that is declared below this package."""

import importlib
import pkgutil
from collections.abc import Iterator

import myelin.api
from myelin.http.endpoint import Endpoint, Endpoints


def declared_endpoints() -> Iterator[Endpoint]:
    """Every endpoint of every API file, whether or not this process serves it."""
    for module in pkgutil.walk_packages(myelin.api.__path__, "myelin.api."):
        table = getattr(importlib.import_module(module.name), "endpoints", None)
        if isinstance(table, Endpoints):
            yield from table
