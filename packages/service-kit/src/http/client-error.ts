import type { Socket } from "node:net";
import { problemText } from "../problems/problem.ts";

/** Answers bytes that are not HTTP, heads that are too large and requests that never end, and hangs up. */
export function answerClientError(
  error: Error & { code?: string },
  socket: Socket,
  { timeoutMs, requestId }: { timeoutMs: number; requestId: () => string },
): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const body = problemText({ code: "request_invalid", detail: describe(error.code, timeoutMs) });
  socket.end(
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json; charset=utf-8\r\n" +
      `Request-Id: ${requestId()}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function describe(code: string | undefined, timeoutMs: number): string {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return `The request was not complete within ${timeoutMs / 1000} s.`;
  if (code === "HPE_HEADER_OVERFLOW") return "The request's head is too large.";
  return "This is not an HTTP request.";
}
