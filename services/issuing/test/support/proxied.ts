import { createFaultProxy, type FaultProxy } from "@coupon/testkit";

/** A fault proxy to where the address leads; `closers` end it. */
export async function proxyTo(closers: (() => Promise<unknown> | unknown)[], url: string): Promise<FaultProxy> {
  const target = new URL(url);
  const proxy = await createFaultProxy({ host: target.hostname, port: Number(target.port) });
  closers.push(() => proxy.close());
  return proxy;
}

/** The same address by way of the proxy. */
export function through({ host, port }: FaultProxy, address = ""): string {
  const url = new URL(address);
  url.host = `${host}:${port}`;
  return url.toString().replace(/\/$/, "");
}
