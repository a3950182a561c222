import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface StubRequest {
  method: string;
  path: string;
  authorization: string;
  traceparent?: string;
  body: unknown;
}

/** Another service of ours as an HTTP server that answers what it is told to. */
export class StubService {
  readonly requests: StubRequest[] = [];
  answer: (request: StubRequest) => { status: number; body: object } | "hang" = () => ({ status: 404, body: {} });
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const asked = await read(request);
      this.requests.push(asked);
      const answer = this.answer(asked);
      if (answer === "hang") return;
      response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function read(request: IncomingMessage): Promise<StubRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    authorization: request.headers.authorization ?? "",
    ...(typeof request.headers.traceparent === "string" ? { traceparent: request.headers.traceparent } : {}),
    body: text === "" ? null : JSON.parse(text),
  };
}
