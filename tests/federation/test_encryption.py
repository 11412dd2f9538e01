"""Two matrix-js-sdk clients, each on a server of its own, hold an encrypted conversation."""

import itertools
import os

import pytest

from federation.conftest import Sides
from peers.js_sdk import JsSdkClients

pytestmark = [pytest.mark.peers, pytest.mark.slow]

_suffixes = itertools.count()

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
    "media",
    "backupHoldsKeys",
    "secondDevice",
    "secondDeviceReadsNew",
    "logout",
    "logoutBoth",
)


async def test_clients_of_two_servers_decrypt_and_verify_each_other(sides: Sides) -> None:
    host, guest = sides.host.server, sides.guest.server
    async with JsSdkClients(host.url, f"js-{os.getpid()}-{next(_suffixes)}", guest.url) as clients:
        for name in CONVERSATION:
            await clients.step(name)
