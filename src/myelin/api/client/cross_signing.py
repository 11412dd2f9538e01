"""Cross-signing keys and signatures (spec: cross_signing.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.accounts.cross_signing_resets import FLOWS as RESET_FLOWS
from myelin.services.accounts.cross_signing_resets import CrossSigningResets
from myelin.services.accounts.uia import InteractiveAuth, Operation
from myelin.services.e2ee.cross_signing import CrossSigning
from myelin.services.e2ee.signatures import Signatures

endpoints = Endpoints(group="e2ee")


class SignaturesAnswer(msgspec.Struct, frozen=True):
    """Errors by user and key."""

    failures: dict[str, Any]


@endpoints.endpoint(
    "POST /_matrix/client/v3/keys/device_signing/upload",
    also=("/_matrix/client/unstable/keys/device_signing/upload",),
    limit="keys",
)
async def upload_cross_signing_keys(
    request: Request,
    requester: Requester,
    uia: InteractiveAuth,
    resets: CrossSigningResets,
    cross_signing: CrossSigning,
    body: dict[str, Any],
) -> Empty:
    """Publish the user's cross-signing keys."""
    operation = Operation(
        "POST", "/keys/device_signing/upload", request.client_address, requester.user_id, requester.oauth_client
    )

    async def confirm() -> None:
        if requester.oauth_client is not None:
            if not await resets.take(requester.user_id):
                await uia.check(operation, body, RESET_FLOWS)
        elif requester.appservice_id is None:
            await uia.confirm(operation, body)

    await cross_signing.upload(requester.user_id, body, confirm)
    return Empty()


@endpoints.endpoint(
    "POST /_matrix/client/v3/keys/signatures/upload",
    also=("/_matrix/client/unstable/keys/signatures/upload",),
    limit="keys",
)
async def upload_cross_signing_signatures(
    requester: Requester, signatures: Signatures, body: dict[str, Any]
) -> SignaturesAnswer:
    """Publish signatures on keys."""
    return SignaturesAnswer(await signatures.upload(requester.user_id, body))
