// A web client as its user's browser runs it: signs in by OAuth 2.0, syncs, refreshes, signs out; all by matrix-js-sdk.

import { createClient, MatrixError } from "matrix-js-sdk/lib/matrix.js";
import { OAuth2 } from "matrix-js-sdk/lib/oauth/index.js";
import { logger } from "matrix-js-sdk/lib/logger.js";

logger.setLevel?.("silent");

const METADATA = {
    client_name: "Browser app",
    client_uri: `${location.origin}/`,
    redirect_uris: [`${location.origin}/`],
    application_type: "web",
};
const remembered = () => JSON.parse(localStorage.getItem("context"));
let client, auth;

async function begin(baseUrl, prompt) {
    const metadata = await createClient({ baseUrl }).getAuthMetadata();
    const clientId = await OAuth2.registerClient(metadata, METADATA);
    auth = new OAuth2(metadata, { clientId });
    const url = await auth.generateAuthorizationCodeGrantUrl("a state", `${location.origin}/`, "fragment", prompt);
    localStorage.setItem("context", JSON.stringify({ baseUrl, metadata, context: auth.context }));
    return url;
}

async function complete() {
    const answer = new URLSearchParams(location.hash.slice(1));
    const { baseUrl, metadata, context } = remembered();
    auth = new OAuth2(metadata, context);
    const tokens = await auth.completeAuthorizationCodeGrant(answer.get("code"), `${location.origin}/`);
    return signedIn(baseUrl, tokens, answer.get("state"));
}

async function signedIn(baseUrl, tokens, state) {
    const renewed = [];
    client = createClient({
        baseUrl,
        accessToken: tokens.access_token,
        refreshToken: tokens.refresh_token,
        oauthClientId: auth.context.clientId,
        deviceId: auth.context.deviceId,
        onTokenRefresh: (fresh) => void renewed.push(fresh.accessToken),
    });
    window.renewed = renewed;
    const who = await client.whoami();
    return { state, user: who.user_id, device: who.device_id, asked: auth.context.deviceId };
}

async function sync() {
    client.credentials.userId = (await client.whoami()).user_id;
    const room = await client.createRoom({ name: "Made in a browser" });
    const synced = new Promise((resolve) => client.on("sync", (state) => state === "PREPARED" && resolve()));
    await client.startClient({ initialSyncLimit: 1 });
    await synced;
    client.stopClient();
    return client.getRoom(room.room_id)?.name;
}

async function renewedTokens() {
    await client.whoami();
    return window.renewed.length;
}

async function signOut() {
    const token = client.getAccessToken();
    await auth.revokeToken(token, "access_token");
    try {
        await createClient({ baseUrl: client.baseUrl, accessToken: token }).whoami();
        return "still signed in";
    } catch (error) {
        return error instanceof MatrixError ? error.errcode : String(error);
    }
}

async function beginDevice(baseUrl) {
    const metadata = await createClient({ baseUrl }).getAuthMetadata();
    const grants = ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"];
    const clientId = await OAuth2.registerClient(metadata, {
        ...METADATA,
        redirect_uris: undefined,
        response_types: [],
        grant_types: grants,
    });
    auth = new OAuth2(metadata, { clientId });
    window.session = await auth.startDeviceAuthorizationGrant();
    window.waiting = auth.waitForDeviceAuthorizationGrant(window.session);
    return window.session.verification_uri_complete;
}

async function completeDevice(baseUrl) {
    return signedIn(baseUrl, await window.waiting, null);
}

window.app = { begin, complete, sync, renewedTokens, signOut, beginDevice, completeDevice };
