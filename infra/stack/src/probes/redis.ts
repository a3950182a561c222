import { exchange } from "../net/exchange.ts";

/** `loading` while Redis reads its append-only file back: alive, not yet useful. */
export type RedisState = "ready" | "loading" | "refused" | "away";

function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
}

function login(url: URL): string {
  if (url.password === "") return "";
  const password = decodeURIComponent(url.password);
  const user = decodeURIComponent(url.username);
  return user === "" ? command("AUTH", password) : command("AUTH", user, password);
}

/** Splits a `REDIS_URL`, which may list several nodes with commas, into URLs. */
export function redisUrls(value: string): URL[] {
  return value
    .split(",")
    .map((node) => node.trim())
    .filter((node) => node !== "")
    .map((node) => new URL(node.includes("://") ? node : `redis://${node}`));
}

/** Sends a RESP `PING` (after `AUTH` when the URL has a password) and says what came back. */
export async function probeRedis(url: URL): Promise<RedisState> {
  const auth = login(url);
  const lines = auth === "" ? 1 : 2;
  const reply = await exchange({
    host: url.hostname,
    port: Number(url.port === "" ? 6379 : url.port),
    tls: url.protocol === "rediss:",
    request: Buffer.from(auth + command("PING")),
    complete: (received) => (received.toString("latin1").split("\r\n").length > lines ? received : undefined),
  });
  if (reply === undefined) return "away";
  const last = reply.toString("latin1").trimEnd().split("\r\n").at(-1) ?? "";
  if (last === "+PONG") return "ready";
  return last.startsWith("-LOADING") ? "loading" : "refused";
}

/** Sends one command without arguments needing escape and returns the raw reply, or `undefined`. */
export function askRedis(port: number, ...words: string[]): Promise<Buffer | undefined> {
  return exchange({
    host: "127.0.0.1",
    port,
    request: Buffer.from(command(...words)),
    complete: (received) => (isWhole(received) ? received : undefined),
  });
}

function isWhole(received: Buffer): boolean {
  const text = received.toString("latin1");
  const end = text.indexOf("\r\n");
  if (end < 0) return false;
  if (!text.startsWith("$")) return text.endsWith("\r\n");
  const length = Number(text.slice(1, end));
  return length < 0 || text.length >= end + 2 + length + 2;
}
