import { type DestinationStream, type Logger, pino } from "pino";

export type { Logger };

const secrets = ["authorization", "signature", "secret", "token", "password", "cookie"];

/**
 * A JSON logger on standard output. Whatever is logged under a name that holds a secret, at the top or
 * up to two levels down, is replaced by `[redacted]`.
 */
export function createLogger(options: { name: string; level?: string; destination?: DestinationStream }): Logger {
  const paths = secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  const settings = {
    name: options.name,
    level: options.level ?? "warn",
    redact: { paths, censor: "[redacted]" },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}
