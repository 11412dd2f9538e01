// Cross-signing, secret storage, key backup, and a second device that gets everything back from them.

import { decrypted, device, roomOf, signIn, start } from "../devices.mjs";
import { check, checkEqual, until } from "../waiting.mjs";

/** Answer user-interactive authentication with the account's password, where the server asks for it. */
function withPassword({ username, password }) {
    return async (request) => {
        try {
            return await request(null);
        } catch (error) {
            if (error.httpStatus !== 401) throw error;
            const identifier = { type: "m.id.user", user: username };
            return await request({ type: "m.login.password", identifier, password, session: error.data.session });
        }
    };
}

/** Both users publish cross-signing keys, and each sees the other's. */
export async function crossSigning({ alice, bob }) {
    for (const client of [alice, bob]) {
        const crypto = client.getCrypto();
        await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: withPassword(client.peer.account) });
        check(await crypto.userHasCrossSigningKeys(client.getUserId(), true), "one's own cross-signing keys");
        const own = () => crypto.getDeviceVerificationStatus(client.getUserId(), client.getDeviceId());
        await until("one's own device signed by its owner", async () => (await own())?.signedByOwner);
    }
}

/** In a room together, each learns that the other's device is signed by its owner. */
export async function devicesSigned({ alice, bob }) {
    for (const [watcher, watched] of [[alice, bob], [bob, alice]]) {
        const crypto = watcher.getCrypto();
        const [userId, deviceId] = [watched.getUserId(), watched.getDeviceId()];
        const status = () => crypto.getDeviceVerificationStatus(userId, deviceId);
        await until(`${watcher.getUserId()} sees ${userId}'s device signed`, async () => (await status())?.signedByOwner);
        check(await crypto.userHasCrossSigningKeys(userId), "the other's cross-signing keys are known");
    }
}

/** Alice sets up secret storage with a recovery key, and a key backup. */
export async function secretStorageAndBackup({ alice }) {
    const crypto = alice.getCrypto();
    const recoveryKey = await crypto.createRecoveryKeyFromPassphrase();
    alice.peer.recovery.key = recoveryKey.privateKey;
    await crypto.bootstrapSecretStorage({
        createSecretStorageKey: async () => recoveryKey,
        setupNewSecretStorage: true,
        setupNewKeyBackup: true,
    });
    await until("secret storage is ready", () => crypto.isSecretStorageReady());
    check((await crypto.getCrossSigningStatus()).privateKeysInSecretStorage, "cross-signing keys are in secret storage");
    const version = await until("the key backup is active", () => crypto.getActiveSessionBackupVersion());
    const info = await crypto.getKeyBackupInfo();
    checkEqual(info.version, version, "backup version");
    check((await crypto.isKeyBackupTrusted(info)).trusted, "the backup is trusted");
    return { algorithm: info.algorithm };
}

/** The keys of all sessions so far reach the backup. */
export async function backupHoldsKeys({ alice }) {
    // The SDK remembers an older answer, so ask the server; it uploads up to 10 s after a key is new.
    const { count, etag } = await until("the backup holds keys", async () => {
        const info = await alice.http.authedRequest("GET", "/room_keys/version");
        return info.count >= 2 ? info : null;
    });
    check(typeof etag === "string", "the backup has an etag");
    return { count };
}

/** Alice signs in anew; with the recovery key alone the device is verified and reads what was said before it. */
export async function secondDevice(scene) {
    const { alice, bob, homeserver, roomId, sent } = scene;
    const { username, password } = alice.peer.account;
    const second = await device(homeserver, await signIn(homeserver, username, password));
    second.peer.recovery.key = alice.peer.recovery.key;
    scene.secondDevice = await start(second, { initialSyncLimit: 5 });
    const crypto = second.getCrypto();
    await until("the new device knows its owner's keys", () => crypto.userHasCrossSigningKeys(second.getUserId(), true));
    await crypto.bootstrapCrossSigning({});
    await crypto.loadSessionBackupPrivateKeyFromSecretStorage();
    check(await crypto.checkKeyBackupAndEnable(), "the backup is usable");
    const restored = await crypto.restoreKeyBackup();
    check(restored.imported >= 2, `keys restored from the backup: ${JSON.stringify(restored)}`);
    const room = await roomOf(second, roomId);
    await until("the first message is paginated back to", async () => {
        if (!room.findEventById(sent[0].eventId)) await second.scrollback(room, 20);
        return room.findEventById(sent[0].eventId);
    });
    for (const { eventId, body } of sent) {
        checkEqual((await decrypted(second, roomId, eventId)).getContent().body, body, "a message from before");
    }
    for (const watcher of [alice, bob]) {
        const status = () =>
            watcher.getCrypto().getDeviceVerificationStatus(second.getUserId(), second.getDeviceId());
        await until(`${watcher.getUserId()} sees the new device signed by its owner`, async () => (await status())?.signedByOwner);
    }
    return restored;
}

/** A message sent now reaches the second device through a fresh session. */
export async function secondDeviceReadsNew({ bob, secondDevice: second, roomId }) {
    const { event_id: eventId } = await bob.sendTextMessage(roomId, "Hello to your new device");
    checkEqual((await decrypted(second, roomId, eventId)).getContent().body, "Hello to your new device", "body");
}
