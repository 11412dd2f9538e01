// Waiting with a deadline: what a client sees arrives when it arrives, and never arriving is a failure that says so.

const DEADLINE_MS = 120_000;
const POLL_MS = 25;

/** Return the first truthy value of `probe`; throw after the deadline, naming `what` was awaited. */
export async function until(what, probe, deadlineMs = DEADLINE_MS) {
    const deadline = Date.now() + deadlineMs;
    for (;;) {
        const found = await probe();
        if (found) return found;
        if (Date.now() > deadline) throw new Error(`not seen within ${deadlineMs} ms: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
}

/** Throw unless `truth` holds. */
export function check(truth, what) {
    if (!truth) throw new Error(`does not hold: ${what}`);
}

/** Throw unless both are the same; the text shows them. */
export function checkEqual(found, expected, what) {
    const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
    if (left !== right) throw new Error(`${what}: found ${left}, expected ${right}`);
}

/** Expect a request to fail with a Matrix error code; return the error. */
export async function expectError(errcode, request) {
    try {
        await request;
    } catch (error) {
        checkEqual(error.errcode, errcode, "error code");
        return error;
    }
    throw new Error(`the request succeeded; expected ${errcode}`);
}
