import { exchange } from "../net/exchange.ts";

const API_VERSIONS_KEY = 18;
const METADATA_KEY = 3;
const FIND_COORDINATOR_KEY = 10;

function request(key: number, version: number, body: Buffer): Buffer {
  const client = Buffer.from("stack-probe");
  const head = Buffer.alloc(4 + 2 + 2 + 4 + 2);
  head.writeInt32BE(head.length - 4 + client.length + body.length, 0);
  head.writeInt16BE(key, 4);
  head.writeInt16BE(version, 6);
  head.writeInt32BE(1, 8);
  head.writeInt16BE(client.length, 12);
  return Buffer.concat([head, client, body]);
}

async function ask(host: string, port: number, message: Buffer): Promise<Buffer | undefined> {
  const whole = await exchange({
    host,
    port,
    request: message,
    complete: (received) => {
      if (received.length < 8) return undefined;
      const length = received.readInt32BE(0);
      return received.length >= length + 4 ? received.subarray(8, length + 4) : undefined;
    },
  });
  return whole;
}

/**
 * Asks a broker for its API versions (v0) and then for the cluster's metadata (v1, no topics), as in the
 * Kafka protocol guide. True when it lists at least one broker and a controller: it takes requests.
 */
export async function kafkaIsReady(broker: string): Promise<boolean> {
  const { host, port } = splitBroker(broker);
  const versions = await ask(host, port, request(API_VERSIONS_KEY, 0, Buffer.alloc(0)));
  if (versions === undefined || versions.length < 2 || versions.readInt16BE(0) !== 0) return false;
  const noTopics = Buffer.alloc(4);
  const metadata = await ask(host, port, request(METADATA_KEY, 1, noTopics));
  return metadata !== undefined && listsBrokerAndController(metadata);
}

/**
 * Asks a broker for the coordinator of some consumer group (FindCoordinator v0). On a new broker the first such
 * request makes it create its offsets topic; until that is there no consumer can join a group.
 */
export async function kafkaCoordinates(broker: string): Promise<boolean> {
  const { host, port } = splitBroker(broker);
  const group = Buffer.from("stack-probe");
  const length = Buffer.alloc(2);
  length.writeInt16BE(group.length);
  const answer = await ask(host, port, request(FIND_COORDINATOR_KEY, 0, Buffer.concat([length, group])));
  return answer !== undefined && answer.length >= 2 && answer.readInt16BE(0) === 0;
}

function splitBroker(broker: string): { host: string; port: number } {
  const split = broker.lastIndexOf(":");
  return { host: broker.slice(0, split).replace(/^.*:\/\//, ""), port: Number(broker.slice(split + 1)) };
}

function listsBrokerAndController(metadata: Buffer): boolean {
  const count = metadata.readInt32BE(0);
  let at = 4;
  for (let broker = 0; broker < count; broker += 1) {
    at += 4;
    at += 2 + metadata.readInt16BE(at);
    at += 4;
    at += 2 + Math.max(0, metadata.readInt16BE(at));
  }
  return count > 0 && metadata.readInt32BE(at) >= 0;
}
