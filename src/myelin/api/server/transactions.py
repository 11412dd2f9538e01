"""Transactions of other servers (spec: transactions.yaml)."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.federation.receiving.transactions import Transactions

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


@endpoints.endpoint("PUT /_matrix/federation/v1/send/{txn_id}")
async def send_transaction(origin: str, transactions: Transactions, txn_id: str, body: dict[str, Any]) -> Any:
    """Take in events and EDUs."""
    return await transactions.receive(origin, txn_id, body)
