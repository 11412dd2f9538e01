// Two people compare emoji, and each signs the other's identity.

import { CryptoEvent, VerificationPhase, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";

import { checkEqual, until } from "../waiting.mjs";

/** Confirm the emoji when they are shown; return them once the verification is through. */
async function compare(verifier) {
    let emoji;
    verifier.on(VerifierEvent.ShowSas, (sas) => {
        emoji = sas.sas.emoji.map(([symbol]) => symbol);
        sas.confirm();
    });
    await verifier.verify();
    return emoji;
}

/** Alice and bob verify each other in their room; then each holds the other's identity as verified. */
export async function verifyEachOther({ alice, bob, roomId }) {
    let received;
    bob.on(CryptoEvent.VerificationRequestReceived, (request) => {
        received = request;
    });
    const asked = await alice.getCrypto().requestVerificationDM(bob.getUserId(), roomId);
    await until("bob is asked to verify", () => received);
    await received.accept();
    await until("both are ready", () => asked.phase === VerificationPhase.Ready && received.phase === VerificationPhase.Ready);
    const alices = compare(await asked.startVerification("m.sas.v1"));
    const bobs = compare(await until("bob's side has started", () => received.verifier));
    checkEqual(await alices, await bobs, "the emoji");
    await until("both are done", () => asked.phase === VerificationPhase.Done && received.phase === VerificationPhase.Done);
    for (const [one, other] of [[alice, bob], [bob, alice]]) {
        const status = () => one.getCrypto().getUserVerificationStatus(other.getUserId());
        await until(`${one.getUserId()} holds the other as verified`, async () => (await status()).isCrossSigningVerified());
    }
    return { emoji: await alices };
}
