// Register, sign out.

import { device, register, start } from "../devices.mjs";
import { check, checkEqual, expectError } from "../waiting.mjs";

/** Two users register and their devices sync and publish their keys. */
export async function registerBoth(scene) {
    for (const name of ["alice", "bob"]) {
        const homeserver = (name === "bob" && scene.bobsHomeserver) || scene.homeserver;
        const account = await register(homeserver, `${name}-${scene.suffix}`, `${name}'s long passphrase`);
        scene[name] = await start(await device(homeserver, account));
    }
    await expectError("M_USER_IN_USE", register(scene.homeserver, `alice-${scene.suffix}`, "another passphrase"));
    const whoami = await scene.alice.whoami();
    checkEqual(whoami.user_id, scene.alice.getUserId(), "whoami");
    checkEqual(whoami.device_id, scene.alice.getDeviceId(), "whoami's device");
    return { alice: scene.alice.getUserId(), bob: scene.bob.getUserId() };
}

/** A profile that is set is read by the other. */
export async function profiles({ alice, bob }) {
    await alice.setDisplayName("Alice in Chains");
    checkEqual((await bob.getProfileInfo(alice.getUserId())).displayname, "Alice in Chains", "display name");
}

/** Signing the second device out ends its token and removes it from the list; the first stays signed in. */
export async function logout({ alice, secondDevice }) {
    const gone = secondDevice.getDeviceId();
    await secondDevice.logout(true);
    await expectError("M_UNKNOWN_TOKEN", secondDevice.whoami());
    const { devices } = await alice.getDevices();
    check(!devices.some((one) => one.device_id === gone), "the device is gone from the list");
    check(devices.some((one) => one.device_id === alice.getDeviceId()), "the first device is still listed");
}

/** Everybody signs out. */
export async function logoutBoth({ alice, bob }) {
    for (const client of [alice, bob]) {
        await client.logout(true);
        await expectError("M_UNKNOWN_TOKEN", client.whoami());
    }
}
