// A client of another make joins the encrypted room: what it writes is read here, and what is written here it must read.

import { decrypted, roomOf } from "../devices.mjs";
import { checkEqual, until } from "../waiting.mjs";

/** Alice invites a third user into the encrypted room. */
export async function inviteGuest({ alice, roomId }, { userId }) {
    await alice.invite(roomId, userId);
    return { roomId };
}

/** Alice and bob see the guest in the room. */
export async function guestJoined({ alice, bob, roomId }, { userId }) {
    for (const client of [alice, bob]) {
        const room = await roomOf(client, roomId);
        await until("the guest has joined", async () => {
            await room.loadMembersIfNeeded();
            return room.getMember(userId)?.membership === "join";
        });
    }
}

/** Alice says something; returns its event ID. */
export async function say({ alice, roomId }, { body }) {
    return { eventId: (await alice.sendTextMessage(roomId, body)).event_id };
}

/** Alice and bob read what the guest wrote. */
export async function readGuest({ alice, bob, roomId }, { eventId, body }) {
    for (const client of [alice, bob]) {
        checkEqual((await decrypted(client, roomId, eventId)).getContent().body, body, "the guest's words");
    }
}
