"""Two matrix-js-sdk clients hold an encrypted conversation through the server, from registration to logout."""

import pytest

from peers.js_sdk import JsSdkClients

pytestmark = [pytest.mark.peers, pytest.mark.slow]

CONVERSATION = (
    "registerBoth",
    "profiles",
    "crossSigning",
    "secretStorageAndBackup",
    "encryptedRoom",
    "bothDecrypt",
    "devicesSigned",
    "verifyEachOther",
    "edit",
    "reaction",
    "thread",
    "receipts",
    "typing",
    "redaction",
    "backPagination",
    "unreadCounts",
    "search",
    "spaces",
    "media",
    "backupHoldsKeys",
    "secondDevice",
    "secondDeviceReadsNew",
    "logout",
    "logoutBoth",
)


async def test_two_clients_hold_an_encrypted_conversation(homeserver: str, suffix: str) -> None:
    async with JsSdkClients(homeserver, suffix) as clients:
        for name in CONVERSATION:
            await clients.step(name)
