import { type Logger, pino } from "pino";

export type { Logger };

const secrets = ["authorization", "signature", "secret", "token", "password", "cookie"];

/**
 * A JSON logger on standard output. Whatever is logged under a name that holds a secret, at the top,
 * one or two levels down, or among a request's headers, is replaced by `[redacted]`.
 */
export function createLogger(options: { name: string; level?: string }): Logger {
  return pino({
    name: options.name,
    level: options.level ?? "warn",
    redact: {
      paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]).concat('*.headers["signature-input"]'),
      censor: "[redacted]",
    },
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  });
}
