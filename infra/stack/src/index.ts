export { cacheFolder } from "./install/cache-folder.ts";
export { findProgram } from "./install/find-program.ts";
export { installMissing, type MissingParts, missingParts } from "./install/install-missing.ts";
export { findJava } from "./install/java.ts";
export { assertPortFree, freePorts, portIsFree } from "./net/ports.ts";
export { type WaitOptions, waitUntil } from "./net/wait-until.ts";
export { type KafkaOptions, startKafka } from "./parts/kafka.ts";
export type { PartName, PartOptions, Running } from "./parts/part.ts";
export { type PostgresOptions, startPostgres } from "./parts/postgres.ts";
export { type RedisOptions, startRedis } from "./parts/redis.ts";
export { httpIsReady } from "./probes/http.ts";
export { kafkaIsReady } from "./probes/kafka.ts";
export { type PostgresState, probePostgres } from "./probes/postgres.ts";
export { askRedis, probeRedis, type RedisState, redisUrls } from "./probes/redis.ts";
export { Child, type ChildSpec, type Exit } from "./process/child.ts";
export {
  type Addresses,
  type PlatformContext,
  PORT_OFFSETS,
  platformServices,
  platformSteps,
} from "./services/platform.ts";
export { runStep, type StepSpec } from "./services/run-step.ts";
export { type ServiceSpec, startService } from "./services/start-service.ts";
export { describeEvent, type StackEvent } from "./stack/events.ts";
export { type Interruption, listenForInterruption } from "./stack/interruption.ts";
export {
  LOCAL_AUDIENCE,
  LOCAL_ISSUER,
  type OperatorRole,
  type StackSecrets,
  signOperatorToken,
} from "./stack/secrets.ts";
export type { Stack, StackOptions } from "./stack/stack.ts";
export type { StackDescription } from "./stack/stack-file.ts";
export { startStack } from "./stack/start-stack.ts";
export { StackFailure, type StackFailureCode } from "./stack-failure.ts";
