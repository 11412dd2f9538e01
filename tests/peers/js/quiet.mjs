// Standard output carries one JSON line a step; whatever the SDK logs goes to standard error. Imported first.

for (const name of ["log", "info", "debug", "trace", "warn"]) {
    console[name] = process.env.PEERS_VERBOSE ? (...words) => console.error(...words) : () => {};
}
