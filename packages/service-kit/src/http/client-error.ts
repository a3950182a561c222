import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { settleConnection } from "../problems/detached-refusal.ts";
import { problemText } from "../problems/problem.ts";

/** `socket` as Node's HTTP server keeps it, with the answer that it is to bear next. */
interface Connection extends Socket {
  _httpMessage?: ServerResponse | null;
}

/**
 * Answers bytes that are not HTTP, heads that are too large and requests that never end, and hangs up. Where a request
 * came before them whose answer is still due, the connection has that answer and no other: the sender takes the first
 * one for that request's, and ours would say of a change that was made that nothing was done.
 */
export function answerClientError(
  error: Error & { code?: string },
  socket: Socket,
  { timeoutMs, requestId }: { timeoutMs: number; requestId: () => string },
): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const due = (socket as Connection)._httpMessage;
  if (due?.req.complete) {
    due.once("close", () => socket.destroySoon());
    return;
  }
  settleConnection(socket);
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
