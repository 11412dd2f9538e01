// Going back, searching, and finding rooms in spaces.

import { RoomHierarchy } from "matrix-js-sdk/lib/room-hierarchy.js";

import { device, roomOf, signIn, start } from "../devices.mjs";
import { check, checkEqual, until } from "../waiting.mjs";

const MESSAGES = 45;

/** A device that starts late pages back through a room to its creation, meeting each event once and in order. */
export async function backPagination(scene) {
    const { alice, bob, homeserver } = scene;
    const { room_id: roomId } = await alice.createRoom({ preset: "public_chat", name: "The hall" });
    await bob.joinRoom(roomId);
    const sent = [];
    for (let number = 0; number < MESSAGES; number++) {
        sent.push((await alice.sendTextMessage(roomId, `Message ${number} about ${number % 9 ? "herrings" : "narwhals"}`)).event_id);
    }
    const { username, password } = bob.peer.account;
    const reader = await device(homeserver, await signIn(homeserver, username, password), { crypto: false });
    await start(reader, { initialSyncLimit: 5 });
    const room = await roomOf(reader, roomId);
    const events = () => room.getLiveTimeline().getEvents();
    check(events().length < 10, "the first sync was limited");
    await until("the room's creation is reached", async () => {
        if (room.oldState.paginationToken === null) return true;
        await reader.scrollback(room, 10);
        return events()[0].getType() === "m.room.create";
    });
    const ids = events().map((event) => event.getId());
    checkEqual(new Set(ids).size, ids.length, "no event comes twice");
    checkEqual(ids.filter((id) => sent.includes(id)), sent, "all messages, in order");
    await reader.logout(true);
    scene.hallId = roomId;
    return { events: ids.length };
}

/** Bob's unread messages are counted, a mention stands out, and reading the last one clears both. */
export async function unreadCounts({ alice, bob, hallId }) {
    const room = bob.getRoom(hallId);
    const { event_id: eventId } = await alice.sendMessage(hallId, {
        "msgtype": "m.text",
        "body": "Bob, look",
        "m.mentions": { user_ids: [bob.getUserId()] },
    });
    await until("the unread messages are counted", () => room.getRoomUnreadNotificationCount("total") === MESSAGES + 1);
    await until("the mention stands out", () => room.getRoomUnreadNotificationCount("highlight") === 1);
    await bob.sendReadReceipt(await until("bob has the mention", () => room.findEventById(eventId)));
    await until("nothing is unread", () => room.getRoomUnreadNotificationCount("total") === 0);
    checkEqual(room.getRoomUnreadNotificationCount("highlight"), 0, "highlights");
}

/** A word is found where it was written, newest first, with its context. */
export async function search({ bob, hallId }) {
    const found = await bob.searchRoomEvents({ term: "narwhals" });
    checkEqual(found.count, MESSAGES / 9, "the count");
    checkEqual(found.results.length, MESSAGES / 9, "the results");
    const bodies = found.results.map((one) => one.context.getEvent().getContent().body);
    check(bodies.every((body) => body.includes("narwhals")), `each result has the word: ${bodies}`);
    check(found.results.every((one) => one.context.getEvent().getRoomId() === hallId), "each is from the room");
    checkEqual((await bob.searchRoomEvents({ term: "unicorns" })).results.length, 0, "a word that nobody wrote");
}

/** A space shows its rooms to a member, and hides the one that she may not see. */
export async function spaces({ alice, bob, hallId }) {
    const via = [alice.getDomain()];
    const space = { preset: "public_chat", creation_content: { type: "m.space" } };
    const { room_id: spaceId } = await alice.createRoom({ ...space, name: "The house" });
    const { room_id: wingId } = await alice.createRoom({ ...space, name: "The wing" });
    const { room_id: secretId } = await alice.createRoom({ preset: "private_chat", name: "The vault" });
    const { room_id: atticId } = await alice.createRoom({ preset: "public_chat", name: "The attic" });
    for (const [parent, child] of [[spaceId, hallId], [spaceId, wingId], [spaceId, secretId], [wingId, atticId]]) {
        await alice.sendStateEvent(parent, "m.space.child", { via, suggested: child === hallId }, child);
    }
    await bob.joinRoom(spaceId);
    const room = await roomOf(bob, spaceId);
    check(room.isSpaceRoom(), "bob sees a space");
    const hierarchy = new RoomHierarchy(room, 2);
    while (hierarchy.canLoadMore) await hierarchy.load();
    const names = hierarchy.rooms.map((one) => one.name).sort();
    checkEqual(names, ["The attic", "The hall", "The house", "The wing"], "the rooms that bob may see");
    check(hierarchy.isSuggested(spaceId, hallId), "the hall is suggested");
    const whole = new RoomHierarchy(alice.getRoom(spaceId), 50);
    while (whole.canLoadMore) await whole.load();
    check(whole.rooms.some((one) => one.room_id === secretId), "alice sees the vault");
}
