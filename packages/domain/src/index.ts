export * from "./entry.ts";
export * from "./model.ts";
export * from "./refusals.ts";
