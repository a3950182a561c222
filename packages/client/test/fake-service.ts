import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  /** Sent as it is instead of `body`. */
  text?: string;
  /** Cuts the connection instead of answering. */
  cut?: true;
  /** Never answers. */
  hang?: true;
}

/** An HTTP server that answers as told, one answer after another, the last one for ever. */
export interface FakeService extends AsyncDisposable {
  url: string;
  seen: Seen[];
}

export async function fakeService(answers: Answer[] | ((seen: Seen, index: number) => Answer)): Promise<FakeService> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      seen.push(one);
      const index = seen.length - 1;
      reply(
        request,
        response,
        typeof answers === "function" ? answers(one, index) : (answers[Math.min(index, answers.length - 1)] as Answer),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function reply(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (answer.hang) return;
  if (answer.cut) {
    request.socket.destroy();
    return;
  }
  response.writeHead(answer.status ?? 200, {
    "content-type": "application/json",
    "request-id": "r-1",
    ...answer.headers,
  });
  response.end(answer.text ?? (answer.body === undefined ? "" : JSON.stringify(answer.body)));
}

/** A refusal as the platform sends it. */
export function problem(code: string, status: number, more: object = {}): Answer {
  const retryable = status === 503 || status === 429 || status === 500;
  return {
    status,
    headers: { "content-type": "application/problem+json" },
    body: {
      type: `urn:coupon:problem:${code}`,
      title: code,
      status,
      detail: "",
      code,
      retryable,
      outcome: "none",
      ...more,
    },
  };
}
