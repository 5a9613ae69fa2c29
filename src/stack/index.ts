/** A private stack: every station in one process, and what clients need to use it. */

export { requestHaste, requestRoot, requestRotation, requestTufRotation } from './administration.ts';
export { type BackupResult, backupStack, restoreStack } from './backup.ts';
export { composeStack, type Stack, type StackConfig } from './compose.ts';
export {
  type Connection,
  connectionOf,
  connectionText,
} from './connect.ts';
export { documentOf } from './connect-documents.ts';
export { type DoctorDeps, examineStack } from './doctor.ts';
export { environmentOf, environmentText, recipes } from './environment.ts';
export type { StackExpiry } from './expiries.ts';
export {
  type Generation,
  type Generations,
  type Rotatable,
  readGenerations,
  rotatable,
} from './generations.ts';
export { exportStack, type HandOver, importStack } from './hand-over.ts';
export type { StackFinding } from './in-order.ts';
export {
  type KubernetesWebhookOptions,
  kubernetesWebhooks,
  parseServiceAddress,
  type WebhookAddress,
  type WebhookConfiguration,
} from './kubernetes.ts';
export { type Origins, PORT_BASE_DEFAULT, type StationName, stations } from './layout.ts';
export { giveUpLog, type LogName, type LostLog } from './lost-log.ts';
export { type Published, publishedMaterial, type StackFacts } from './material.ts';
export type { StackTime } from './opener.ts';
export type { Rotation, RotationRequest, RotationStep } from './rotation.ts';
export { type ProbeResult, selfTest } from './self-test.ts';
export * from './serve/index.ts';
export { redirected, SIMULATED_ISSUER } from './simulate.ts';
export type { StackSignerSettings } from './stack-signer.ts';
export { readState, refuseDevelopment, requireState, type StackState, stackTransport } from './state.ts';
export { type StackStatus, type StationStatus, stackStatus } from './status.ts';
export { fetchDevelopmentToken } from './token.ts';
