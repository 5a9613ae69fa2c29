/** What commands are timed on: the published command line, a signed file, a signed image behind a slow wire. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { descriptorOf } from '#formats/oci';
import { trustedRootJson } from '#formats/trusted-root';
import { attachBundle } from '#oci';
import { commandLine } from '../../build/command-line.ts';
import { faultyRegistry } from '../../test/double/registry-faults.ts';
import { ISSUER, SUBJECT, VirtualStack } from '../../test/double/virtual-stack.ts';
import { putImage, repositoryAt } from '../../test/oci/helpers.ts';
import type { Program } from './processes.ts';

export interface Bench {
  /** Holds `bundle.json`, `root.json`, `artifact`. */
  readonly folder: string;
  readonly stack: VirtualStack;
  /** The published command line with these words. */
  waybill(words: readonly string[], options?: { readonly keepsCode?: boolean }): Program;
  /** Node that does nothing. */
  readonly empty: Program;
  close(): void;
}

/** The words both waybill and cosign take to verify the file. */
export const blobWords: readonly string[] = [
  ...['verify-blob', 'artifact', '--bundle', 'bundle.json', '--trusted-root', 'root.json'],
  ...['--certificate-identity', SUBJECT, '--certificate-oidc-issuer', ISSUER],
];

export const imageWords = (reference: string): readonly string[] => [
  ...['verify', reference, '--trusted-root', 'root.json'],
  ...['--certificate-identity', SUBJECT, '--certificate-oidc-issuer', ISSUER],
];

/** Bundles the command line as it is published and signs a file with a P-384 authority and a v1 log. */
export async function openBench(): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-'));
  const dist = join(folder, 'dist');
  await commandLine(dist, '0.0.0');
  const stack = new VirtualStack();
  const { bytes, artifact } = stack.sign({ tsas: [] });
  writeFileSync(join(folder, 'root.json'), trustedRootJson(stack.root));
  writeFileSync(join(folder, 'bundle.json'), bytes);
  writeFileSync(join(folder, 'artifact'), artifact);
  writeFileSync(join(folder, 'empty.cjs'), '');
  const home = join(folder, 'home');
  mkdirSync(join(home, '.cache'), { recursive: true, mode: 0o700 });
  const env = { HOME: home, PATH: process.env['PATH'] ?? '' };
  const node = (args: readonly string[]): Program => ({ command: process.execPath, args, cwd: folder, env });
  return {
    folder,
    stack,
    empty: node(['empty.cjs']),
    waybill: (words, { keepsCode = true } = {}) => {
      const program = node([join(dist, 'bin', 'waybill'), ...words]);
      return keepsCode ? program : { ...program, env: { ...env, NODE_DISABLE_COMPILE_CACHE: '1' } };
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface SlowImage {
  readonly reference: string;
  /** Requests since the last call. */
  takeRequests(): number;
  close(): Promise<void>;
}

/** An image signed as cosign 3 signs, in a registry of ours that thinks `delayMs` about every request. */
export async function slowImage(stack: VirtualStack, delayMs: number): Promise<SlowImage> {
  const registry = await faultyRegistry();
  const to = repositoryAt(registry.host);
  const image = await putImage(to, 'bench', { tag: 'v1' });
  const { bytes } = stack.sign({ artifact: image.bytes, statement: 'cosign', tsas: [] });
  const { predicateType, createdMs } = { predicateType: COSIGN_SIGN_V1, createdMs: stack.clock.now() };
  await attachBundle(to, descriptorOf(image), bytes, { predicateType, createdMs });
  const wait = () => new Promise<void>((resolve) => setTimeout(resolve, delayMs));
  registry.misbehave({ path: /./, fault: { kind: 'meanwhile', run: wait } });
  registry.seen.length = 0;
  return {
    reference: `${registry.host}/team/app:v1`,
    takeRequests: () => registry.seen.splice(0).length,
    close: () => registry.close(),
  };
}
