import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

/**
 * A feed is a file of ready-made request bytes, so that a generator spends nothing on making them and the same
 * bytes can go to several servers: per request a 32-bit little-endian length and that many bytes.
 */
const lengthBytes = 4;
const chunkBytes = 4 * 1024 * 1024;

export interface HttpRequest {
  method: string;
  /** Path and query. */
  path: string;
  headers: Record<string, string>;
  /** JSON text; "" for none. */
  body: string;
}

/** Writes requests to a feed file in the order given and returns how many. The file is written anew. */
export function writeFeed(file: string, host: string, requests: Iterable<HttpRequest>): number {
  const descriptor = openSync(file, "w");
  const chunk = Buffer.allocUnsafe(chunkBytes);
  let used = 0;
  let count = 0;
  try {
    for (const request of requests) {
      const text = encodeRequest(host, request);
      const bytes = Buffer.byteLength(text);
      if (bytes + lengthBytes > chunkBytes) throw new Error(`A request of ${bytes} bytes is too large for a feed`);
      if (used + lengthBytes + bytes > chunkBytes) {
        writeSync(descriptor, chunk, 0, used);
        used = 0;
      }
      chunk.writeUInt32LE(bytes, used);
      used += lengthBytes + chunk.write(text, used + lengthBytes);
      count += 1;
    }
    writeSync(descriptor, chunk, 0, used);
  } finally {
    closeSync(descriptor);
  }
  return count;
}

/** Reads a feed into memory: one view per request over the file's bytes. Throws where the file is cut off. */
export function readFeed(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const requests: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    const end = at + lengthBytes + length;
    if (length === 0 || end > bytes.length) throw new Error(`The feed ${file} is cut off at byte ${at}`);
    requests.push(bytes.subarray(at + lengthBytes, end));
    at = end;
  }
  return requests;
}

function encodeRequest(host: string, request: HttpRequest): string {
  let head = `${request.method} ${request.path} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const name in request.headers) head += `${name}: ${request.headers[name]}\r\n`;
  if (request.body !== "" || request.method === "POST")
    head += `content-length: ${Buffer.byteLength(request.body)}\r\n`;
  return `${head}\r\n${request.body}`;
}
