// Files: up, down, and as a thumbnail, with authentication.

import { Buffer } from "node:buffer";
import { crc32, deflateSync } from "node:zlib";

import { check, checkEqual } from "../waiting.mjs";

const SIDE = 64;

function chunk(type, data) {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** Return a PNG of one colour. */
function png() {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(SIDE, 0);
    header.writeUInt32BE(SIDE, 4);
    header.set([8, 2, 0, 0, 0], 8);
    const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(SIDE * 3, 0x7f)]);
    const rows = deflateSync(Buffer.concat(Array(SIDE).fill(row)));
    const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

function fetchAs(client, url) {
    return fetch(url, { headers: { Authorization: `Bearer ${client.getAccessToken()}` } });
}

/** Alice uploads an image; bob downloads the same bytes and a thumbnail; nobody gets it without signing in. */
export async function media({ alice, bob }) {
    const image = png();
    const { content_uri: uri } = await alice.uploadContent(new Blob([image]), { name: "grey.png", type: "image/png" });
    check(uri.startsWith(`mxc://${alice.getDomain()}/`), `a content URI of this server: ${uri}`);
    const url = bob.mxcUrlToHttp(uri, undefined, undefined, undefined, false, true, true);
    const answer = await fetchAs(bob, url);
    checkEqual(answer.status, 200, "status of the download");
    checkEqual(answer.headers.get("content-type"), "image/png", "type of the download");
    check((answer.headers.get("content-disposition") ?? "").includes("grey.png"), "the file's name");
    check(Buffer.from(await answer.arrayBuffer()).equals(image), "the same bytes come back");
    const small = await fetchAs(bob, bob.mxcUrlToHttp(uri, 32, 32, "crop", false, true, true));
    checkEqual(small.status, 200, "status of the thumbnail");
    check(small.headers.get("content-type").startsWith("image/"), "the thumbnail is an image");
    checkEqual((await fetch(url)).status, 401, "status without a token");
    const config = await bob.getMediaConfig(true);
    check(config["m.upload.size"] > image.length, "the upload limit is told");
}
