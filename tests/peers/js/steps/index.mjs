// All steps by name, in the order that a whole conversation takes them.

export * from "./accounts.mjs";
export * from "./conversation.mjs";
export * from "./encryption.mjs";
export * from "./finding.mjs";
export * from "./guests.mjs";
export * from "./media.mjs";
export * from "./verification.mjs";
