// One signed-in device: a matrix-js-sdk client with Rust crypto, its stores in memory.

import { createClient, ClientEvent, SyncState } from "matrix-js-sdk";

import { until } from "./waiting.mjs";

const INITIAL_SYNC_LIMIT = 20;

/** Register a user through user-interactive authentication; return what a device needs. */
export async function register(homeserver, username, password) {
    const anonymous = createClient({ baseUrl: homeserver });
    const request = { username, password, initial_device_display_name: "js-sdk peer" };
    let session;
    try {
        await anonymous.registerRequest(request);
        throw new Error("registration asked for no authentication at all");
    } catch (error) {
        if (error.httpStatus !== 401) throw error;
        session = error.data.session;
        const stages = error.data.flows.map((flow) => flow.stages.join("+"));
        if (!stages.includes("m.login.dummy")) throw new Error(`no flow of m.login.dummy alone: ${stages}`);
    }
    const answer = await anonymous.registerRequest({ ...request, auth: { type: "m.login.dummy", session } });
    return { ...answer, username, password };
}

/** Sign in with a password, on a new device. */
export async function signIn(homeserver, username, password) {
    const anonymous = createClient({ baseUrl: homeserver });
    const answer = await anonymous.loginRequest({
        type: "m.login.password",
        identifier: { type: "m.id.user", user: username },
        password,
    });
    return { ...answer, username, password };
}

/** Return a client for an account; `crypto: false` leaves it unable to decrypt. It does not sync yet. */
export async function device(homeserver, account, { crypto = true } = {}) {
    const recovery = { key: null };
    const client = createClient({
        baseUrl: homeserver,
        userId: account.user_id,
        deviceId: account.device_id,
        accessToken: account.access_token,
        timelineSupport: true,
        cryptoCallbacks: {
            getSecretStorageKey: async ({ keys }) => (recovery.key ? [Object.keys(keys)[0], recovery.key] : null),
        },
    });
    if (crypto) await client.initRustCrypto({ useIndexedDB: false });
    return Object.assign(client, { peer: { account, recovery } });
}

/** Start to sync; return when the first sync is in. */
export async function start(client, { initialSyncLimit = INITIAL_SYNC_LIMIT } = {}) {
    let failure;
    client.on(ClientEvent.Sync, (state, _previous, data) => {
        failure = state === SyncState.Error ? data?.error : undefined;
    });
    await client.startClient({ initialSyncLimit, threadSupport: true, lazyLoadMembers: true });
    await until("the first sync", () => {
        if (failure) throw failure;
        return client.isInitialSyncComplete();
    });
    return client;
}

/** Return the room once the client knows it with this membership. */
export function roomOf(client, roomId, membership = "join") {
    return until(`${client.getUserId()} sees ${roomId} as ${membership}`, () => {
        const room = client.getRoom(roomId);
        return room?.getMyMembership() === membership ? room : null;
    });
}

/** Return an event once the client has it, decrypted. */
export async function decrypted(client, roomId, eventId) {
    const room = client.getRoom(roomId);
    let last = "it did not arrive";
    const seen = () => {
        const event = room.findEventById(eventId);
        if (!event) return null;
        if (event.isBeingDecrypted() || event.shouldAttemptDecryption()) return null;
        if (event.isDecryptionFailure()) {
            last = `decryption failed: ${event.decryptionFailureReason}`;
            return null;
        }
        return event;
    };
    try {
        return await until(`${client.getUserId()} reads ${eventId}`, seen);
    } catch (error) {
        throw new Error(`${error.message} (${last})`);
    }
}
