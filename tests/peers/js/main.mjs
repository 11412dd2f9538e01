// Drives two matrix-js-sdk clients. The first line of standard input is {homeserver, suffix}; each further line,
// {step, with}, runs one step; each is answered by one JSON line {step, ok, ms, saw | error}. The end of the input ends it.

import "./quiet.mjs";

import { createInterface } from "node:readline";

const { logger } = await import("matrix-js-sdk/lib/logger.js");
logger.setLevel?.(process.env.PEERS_VERBOSE ? "debug" : "silent");
const steps = await import("./steps/index.mjs");

const scene = {};

async function run({ step, with: given = {} }) {
    const begin = Date.now();
    try {
        if (!Object.hasOwn(steps, step)) throw new Error(`no such step: ${step}`);
        const saw = await steps[step](scene, given);
        return { step, ok: true, ms: Date.now() - begin, saw: saw ?? null };
    } catch (error) {
        return { step, ok: false, ms: Date.now() - begin, error: error.stack ?? String(error) };
    }
}

let first = true;
for await (const line of createInterface({ input: process.stdin })) {
    if (first) Object.assign(scene, JSON.parse(line));
    else process.stdout.write(JSON.stringify(await run(JSON.parse(line))) + "\n");
    first = false;
}
for (const client of [scene.alice, scene.bob, scene.secondDevice]) client?.stopClient();
process.exit(0);
