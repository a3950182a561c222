/** Where the first response in some bytes ends; `end` is past what is there while its body is still on its way. */
export interface ResponseBounds {
  status: number;
  end: number;
}

const carriageReturn = 13;
const lowerC = 0x63;
const lowercase = 0x20;
const name = Buffer.from("content-length:");

/**
 * Reads as little of an HTTP/1.1 response as a closed loop needs: its status and its length. Answers into `into`, so
 * that it allocates nothing; returns false while the head is incomplete. Throws on a response without a
 * content-length (chunked), which no service of this platform sends for JSON.
 */
export function readBounds(bytes: Buffer, length: number, into: ResponseBounds): boolean {
  let bodyBytes = -1;
  let at = nextLine(bytes, 0, length);
  while (at !== -1 && at < length) {
    if (bytes[at] === carriageReturn) return at + 2 <= length && finish(bytes, at + 2, bodyBytes, into);
    if (((bytes[at] ?? 0) | lowercase) === lowerC && isContentLength(bytes, at)) bodyBytes = readNumber(bytes, at);
    at = nextLine(bytes, at, length);
  }
  return false;
}

function finish(bytes: Buffer, headEnd: number, bodyBytes: number, into: ResponseBounds): boolean {
  into.status = digit(bytes, 9) * 100 + digit(bytes, 10) * 10 + digit(bytes, 11);
  if (bodyBytes === -1 && into.status !== 204) {
    throw new Error(`A response has no content-length: ${bytes.toString("latin1", 0, Math.min(headEnd, 500))}`);
  }
  into.end = headEnd + Math.max(0, bodyBytes);
  return true;
}

/** Index after the next line break, -1 where there is none yet. */
function nextLine(bytes: Buffer, from: number, length: number): number {
  const end = bytes.indexOf(10, from);
  return end === -1 || end >= length ? -1 : end + 1;
}

function isContentLength(bytes: Buffer, at: number): boolean {
  for (let i = 0; i < name.length; i += 1) {
    const byte = bytes[at + i] ?? 0;
    if ((byte === 0x2d || byte === 0x3a ? byte : byte | lowercase) !== name[i]) return false;
  }
  return true;
}

function readNumber(bytes: Buffer, at: number): number {
  let value = 0;
  for (let i = at + name.length; bytes[i] !== carriageReturn; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) value = value * 10 + byte - 0x30;
  }
  return value;
}

const digit = (bytes: Buffer, at: number): number => (bytes[at] ?? 0) - 0x30;
