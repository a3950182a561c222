export {
  askRedis,
  type Child,
  freePorts,
  type Running,
  StackFailure,
  startKafka,
  startPostgres,
  startRedis,
} from "@coupon/stack";
export { checkOpenApi } from "./check-openapi.ts";
export { type EventuallyOptions, eventually } from "./eventually.ts";
export { createFaultProxy, type Direction, type FaultProxy, type ProxyTarget } from "./fault-proxy.ts";
export { createIssuer, type Issuer } from "./issuer.ts";
export { expectNoLeaks, type OpenResources, openResources } from "./leak-check.ts";
export { PART_VARIABLE, type RealParts, startRealParts } from "./real-parts.ts";
export { type RedisCluster, startRedisCluster } from "./redis-cluster.ts";
export { REPOSITORY, type ServiceProcess, type ServiceProcessOptions, startServiceProcess } from "./service-process.ts";
export { temporaryFolder } from "./temporary-folder.ts";
export { uniqueName } from "./unique-name.ts";
