export * from "./dataset.ts";
export * from "./made-up.ts";
