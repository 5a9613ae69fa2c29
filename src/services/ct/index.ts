/** The certificate transparency log. A `CtLog` is also what the certificate authority submits to in process. */
export type { CtConfig } from './config.ts';
export { CtLog, createCt, type SignedTreeHead } from './ct.ts';
export { ctPersonality } from './leaf.ts';
export { registerCt } from './routes.ts';
