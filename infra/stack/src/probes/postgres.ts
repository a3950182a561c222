import { exchange } from "../net/exchange.ts";

/** `starting` covers recovery and shutdown: the server answers, but takes no sessions. */
export type PostgresState = "ready" | "starting" | "away";

const PROTOCOL_3 = 196_608;
const SSL_REQUEST = 80_877_103;
const AUTHENTICATION = "R";
const CANNOT_CONNECT_NOW = "57P03";

function startupPacket(user: string, database: string): Buffer {
  const pairs = Buffer.from(`user\0${user}\0database\0${database}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + pairs.length, 0);
  head.writeInt32BE(PROTOCOL_3, 4);
  return Buffer.concat([head, pairs]);
}

function sslRequest(): Buffer {
  const packet = Buffer.alloc(8);
  packet.writeInt32BE(8, 0);
  packet.writeInt32BE(SSL_REQUEST, 4);
  return packet;
}

/**
 * Sends a startup packet as `pg_isready` does: a server that asks for authentication (or refuses the user)
 * takes sessions, one that answers SQLSTATE 57P03 doesn't yet. Where the URL asks for TLS, an answered
 * SSLRequest is enough.
 */
export async function probePostgres(url: URL): Promise<PostgresState> {
  const sslMode = url.searchParams.get("sslmode") ?? "disable";
  const secure = sslMode !== "disable" && sslMode !== "prefer" && sslMode !== "allow";
  const database = decodeURIComponent(url.pathname.slice(1));
  const user = decodeURIComponent(url.username === "" ? "postgres" : url.username);
  const reply = await exchange({
    host: url.hostname,
    port: Number(url.port === "" ? 5432 : url.port),
    request: secure ? sslRequest() : startupPacket(user, database === "" ? user : database),
    complete: (received) => (secure ? received : wholeMessage(received)),
  });
  if (reply === undefined) return "away";
  if (secure) return "ready";
  const text = reply.toString("latin1");
  if (text.startsWith(AUTHENTICATION)) return "ready";
  return text.includes(CANNOT_CONNECT_NOW) ? "starting" : "ready";
}

function wholeMessage(received: Buffer): Buffer | undefined {
  if (received.length < 5) return undefined;
  const length = received.readInt32BE(1);
  return received.length >= length + 1 ? received.subarray(0, length + 1) : undefined;
}
