// An encrypted room and what people do in it.

import { decrypted, roomOf } from "../devices.mjs";
import { check, checkEqual, until } from "../waiting.mjs";

/** Alice makes an encrypted room, bob is invited and joins; both know that it is encrypted. */
export async function encryptedRoom(scene) {
    const { alice, bob } = scene;
    const { room_id: roomId } = await alice.createRoom({
        preset: "private_chat",
        name: "The lodge",
        topic: "What nobody else may read",
        invite: [bob.getUserId()],
        initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
    });
    const invited = await roomOf(bob, roomId, "invite");
    checkEqual(invited.name, "The lodge", "the invite carries the room's name");
    await bob.joinRoom(roomId);
    for (const client of [alice, bob]) {
        const room = await roomOf(client, roomId);
        await until("the room is known as encrypted", () => client.getCrypto().isEncryptionEnabledInRoom(roomId));
        // Synapse tells no new count when the members of a room come later than the room.
        const both = () => [alice, bob].every((one) => room.getMember(one.getUserId())?.membership === "join");
        await until(`${client.getUserId()} knows that both have joined`, () => room.getJoinedMemberCount() === 2 || both());
    }
    Object.assign(scene, { roomId, sent: [] });
    return { roomId, version: alice.getRoom(roomId).getVersion() };
}

/** Each reads what the other wrote. */
export async function bothDecrypt({ alice, bob, roomId, sent }) {
    for (const [writer, reader, body] of [[alice, bob, "Hello, Bob"], [bob, alice, "Hello, Alice"], [alice, bob, "So we can talk"]]) {
        const { event_id: eventId } = await writer.sendTextMessage(roomId, body);
        const event = await decrypted(reader, roomId, eventId);
        check(event.isEncrypted(), "the event came encrypted");
        checkEqual(event.getContent().body, body, "body");
        const raw = await reader.fetchRoomEvent(roomId, eventId);
        checkEqual(raw.type, "m.room.encrypted", "what the server has");
        await decrypted(writer, roomId, eventId);
        sent.push({ eventId, body });
    }
}

/** An edit replaces the text for the other, and the server bundles it. */
export async function edit({ alice, bob, roomId }) {
    const { event_id: eventId } = await alice.sendTextMessage(roomId, "A tpyo");
    await decrypted(bob, roomId, eventId);
    const better = { msgtype: "m.text", body: "A typo" };
    const { event_id: editId } = await alice.sendMessage(roomId, {
        ...better,
        "body": "* A typo",
        "m.new_content": better,
        "m.relates_to": { rel_type: "m.replace", event_id: eventId },
    });
    const event = bob.getRoom(roomId).findEventById(eventId);
    await until("bob sees the edit", () => event.replacingEvent()?.getId() === editId && event.getContent().body === "A typo");
    const raw = await bob.fetchRoomEvent(roomId, eventId);
    checkEqual(raw.unsigned?.["m.relations"]?.["m.replace"]?.event_id, editId, "the bundled edit");
}

/** A reaction is counted by the other, and is gone when taken back. */
export async function reaction({ alice, bob, roomId, sent }) {
    const [{ eventId }] = sent;
    const relation = { rel_type: "m.annotation", event_id: eventId, key: "👍" };
    const { event_id: reactionId } = await bob.sendEvent(roomId, "m.reaction", { "m.relates_to": relation });
    const room = alice.getRoom(roomId);
    const annotations = () =>
        room.relations.getChildEventsForEvent(eventId, "m.annotation", "m.reaction")?.getSortedAnnotationsByKey() ?? [];
    await until("alice sees the reaction", () => annotations().some(([key, events]) => key === "👍" && events.size === 1));
    const { events } = await alice.relations(roomId, eventId, "m.annotation", "m.reaction");
    checkEqual(events.map((event) => event.getId()), [reactionId], "the relations endpoint");
    await bob.redactEvent(roomId, reactionId);
    await until("the reaction is gone", () => annotations().every(([, set]) => set.size === 0));
}

/** A reply in a thread arrives in the thread, and the server counts and lists it. */
export async function thread(scene) {
    const { alice, bob, roomId } = scene;
    const { event_id: rootId } = await alice.sendTextMessage(roomId, "A thread's root");
    bob.getRoom(roomId).createThread(rootId, await decrypted(bob, roomId, rootId), [], true); // as one opens its panel
    const { event_id: replyId } = await bob.sendMessage(roomId, rootId, { msgtype: "m.text", body: "A thread's reply" });
    const room = alice.getRoom(roomId);
    await until("alice sees the thread", () => room.getThread(rootId)?.length === 1);
    const reply = await until("alice has the reply", () => room.getThread(rootId).findEventById(replyId));
    await until("alice reads the reply", () => reply.getContent().body === "A thread's reply");
    const list = await alice.createThreadListMessagesRequest(roomId, null, 10);
    const root = list.chunk.find((event) => event.event_id === rootId);
    checkEqual(root?.unsigned["m.relations"]["m.thread"].count, 1, "the server's count of the thread");
    checkEqual(root.unsigned["m.relations"]["m.thread"].latest_event.event_id, replyId, "the thread's latest event");
    scene.thread = { rootId, replyId };
}

/** Read receipts reach the other, in the main timeline and in a thread; a private one does not. */
export async function receipts({ alice, bob, roomId, thread: { rootId, replyId } }) {
    const bobId = bob.getUserId();
    const { event_id: eventId } = await alice.sendTextMessage(roomId, "Have you read this?");
    const { event_id: secretId } = await alice.sendTextMessage(roomId, "And this?");
    const room = alice.getRoom(roomId);
    await bob.sendReceipt(await decrypted(bob, roomId, secretId), "m.read.private");
    await bob.sendReadReceipt(await decrypted(bob, roomId, eventId));
    await until("alice sees the receipt", () => room.getReadReceiptForUserId(bobId)?.eventId === eventId);
    check(room.getReadReceiptForUserId(bobId)?.eventId !== secretId, "the private receipt stays private");
    const aliceId = alice.getUserId();
    await alice.sendReadReceipt(room.getThread(rootId).findEventById(replyId));
    const inBobs = () => bob.getRoom(roomId).getThread(rootId)?.getReadReceiptForUserId(aliceId, true);
    await until("bob sees the receipt in the thread", () => inBobs()?.eventId === replyId);
    await bob.setRoomReadMarkers(roomId, secretId, bob.getRoom(roomId).findEventById(secretId));
    const marker = () => bob.getRoom(roomId).getAccountData("m.fully_read")?.getContent().event_id;
    await until("the fully-read marker comes back", () => marker() === secretId);
}

/** A typing notice starts and stops for the other. */
export async function typing({ alice, bob, roomId }) {
    const seen = () => bob.getRoom(roomId).getMember(alice.getUserId())?.typing;
    await alice.sendTyping(roomId, true, 20_000);
    await until("bob sees alice type", () => seen() === true);
    await alice.sendTyping(roomId, false, 0);
    await until("bob sees alice stop", () => seen() === false);
}

/** A redacted message loses its content for the other and on the server. */
export async function redaction({ alice, bob, roomId }) {
    const { event_id: eventId } = await alice.sendTextMessage(roomId, "I should not have said this");
    const event = await decrypted(bob, roomId, eventId);
    await alice.redactEvent(roomId, eventId, undefined, { reason: "second thoughts" });
    await until("bob sees it redacted", () => event.isRedacted());
    const raw = await bob.fetchRoomEvent(roomId, eventId);
    checkEqual(raw.content, {}, "the content on the server");
    checkEqual(raw.unsigned.redacted_because.content.reason, "second thoughts", "the reason");
}
