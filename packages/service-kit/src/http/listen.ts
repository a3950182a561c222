import { StartFailure } from "../start-failure.ts";
import type { Service } from "./service.ts";

export interface ListenOptions {
  host: string;
  /** 0 lets the system choose. */
  port: number;
  /** Lets several processes listen on one port; the kernel spreads connections over them (Linux). */
  reusePort?: boolean;
}

/**
 * Starts listening and returns the address, e.g. `http://127.0.0.1:8080`.
 *
 * @throws {StartFailure} when the port is taken or may not be used.
 */
export async function listen(app: Service, options: ListenOptions): Promise<string> {
  const passed = { ...options };
  try {
    return await app.listen(passed);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const where = `${options.host}:${options.port}`;
    if (code === "EADDRINUSE")
      throw new StartFailure(`${where} is in use; stop what listens there or set another PORT.`);
    if (code === "EACCES") throw new StartFailure(`${where} may not be listened on; set a PORT above 1023.`);
    if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
      throw new StartFailure(`${options.host} is no address of this machine; set HOST to one, e.g. 127.0.0.1.`);
    }
    throw error;
  }
}
