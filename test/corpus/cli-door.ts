/** The command line as a door: the same question in its words, over an image layout or over a file. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publicKeyPem } from '#base/crypto';
import type { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseManifest } from '#formats/oci';
import {
  attachBundle,
  attachLegacyAttestation,
  attachLegacySignature,
  createLayout,
  type Layout,
} from '#oci';
import { systemRandom } from '#platform/system';
import { type LegacyLayer, legacyAnnotations as names, SIMPLE_SIGNING_MEDIA_TYPE } from '#verify';
import { type NativeRun, runNative } from '../../src/cli/compat/native.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { type Answer, answerOfReason } from './doors.ts';
import type { Ask, Exhibit } from './draft.ts';
import { keyNamed } from './world.ts';

export type Words = { readonly words: readonly string[] } | { readonly missing: string };

const claimFlags: Readonly<Record<string, string>> = {
  githubWorkflowTrigger: '--certificate-github-workflow-trigger',
  githubWorkflowSha: '--certificate-github-workflow-sha',
  githubWorkflowName: '--certificate-github-workflow-name',
  githubWorkflowRepository: '--certificate-github-workflow-repository',
  githubWorkflowRef: '--certificate-github-workflow-ref',
};

/** What the command line has no words for; undefined when it can ask all of it. */
function unspeakable(ask: Ask): string | undefined {
  const { issuer, san, claims = {}, time } = ask;
  if (ask.anyone === true || ask.subject !== undefined) return 'a check given up that it does not give up';
  if (ask.anyOf !== undefined) return 'several identities';
  if (ask.sanType !== undefined) return 'the kind of a name';
  if (ask.keyValid !== undefined) return 'the life of a key';
  if (time !== undefined && time.kind !== 'signed') return 'a kind of time';
  if ((ask.predicateTypes?.length ?? 1) !== 1) return 'several predicate types';
  if (Object.values(claims).some((pattern) => typeof pattern !== 'string')) return 'a pattern of a claim';
  const isIssuer = typeof issuer === 'string' || 'regexp' in issuer;
  const isSan =
    typeof san === 'string' || 'regexp' in san || ('glob' in san && san.starCrossesSlash !== true);
  return isIssuer && isSan ? undefined : 'a pattern of this kind';
}

function wordsOf(ask: Ask, folder: string): Words {
  const missing = unspeakable(ask);
  if (missing !== undefined) return { missing };
  const words = [
    ...(ask.tlog === 'notRequiredUnsafe' ? ['--insecure-ignore-tlog'] : []),
    ...(ask.sct === 'notRequiredUnsafe' ? ['--insecure-ignore-sct'] : []),
    ...(typeof ask.tlog === 'number' ? [`--log-threshold=${ask.tlog}`] : []),
    ...(typeof ask.sct === 'number' ? [`--sct-threshold=${ask.sct}`] : []),
    ...(ask.time?.kind === 'signed' ? [`--timestamp-threshold=${ask.time.atLeast}`] : []),
    ...Object.entries(ask.annotations ?? {}).map(([key, value]) => `--annotations=${key}=${value}`),
  ];
  if (ask.key !== undefined) return { words: [...words, `--key=${join(folder, 'key.pem')}`] };
  const claims = Object.entries(ask.claims ?? {}).map(([name, value]) => claimWord(name, String(value)));
  const { issuer, san } = ask;
  const who = [patternWord('--certificate-oidc-issuer', issuer), patternWord('--certificate-identity', san)];
  return { words: [...words, ...who, ...claims] };
}

function claimWord(name: string, value: string): string {
  const flag = claimFlags[name];
  return flag === undefined ? `--certificate-claim=${name}=${value}` : `${flag}=${value}`;
}

function patternWord(flag: string, pattern: Ask['san']): string {
  if (typeof pattern === 'string') return `${flag}=${pattern}`;
  if ('regexp' in pattern) return `${flag}-regexp=${pattern.regexp}`;
  return `${flag}-glob=${'glob' in pattern ? pattern.glob : ''}`;
}

/** A process without network, environment or terminal, at the time of the case. */
function contextAt(now: number, cwd: string): CliContext {
  const nothing = (): void => {};
  const refuse = (): never => {
    throw new Error('the corpus opens no connection');
  };
  const transport = { request: refuse, stream: refuse };
  return {
    env: {},
    cwd,
    transport,
    transportFor: () => transport,
    clock: { now: () => now },
    random: systemRandom,
    json: true,
    isTerminal: false,
    useColor: false,
    stdout: nothing,
    stderr: nothing,
    progress: nothing,
    result: nothing,
    exit: nothing,
  };
}

async function prepare(exhibit: Exhibit, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'trusted_root.json'), exhibit.trustedRoot);
  if (exhibit.ask.key !== undefined) {
    await writeFile(join(folder, 'key.pem'), publicKeyPem(keyNamed(exhibit.ask.key).publicKey));
  }
}

export type CliAnswer = Answer | { readonly missing: string };

interface Place {
  readonly verb: readonly string[];
  readonly load: Parameters<typeof runNative>[0];
  readonly target: string;
}

function wordsAt(exhibit: Exhibit, folder: string, place: Pick<Place, 'verb' | 'target'>): Words {
  const spoken = wordsOf(exhibit.ask, folder);
  if ('missing' in spoken) return spoken;
  const type = exhibit.ask.predicateTypes?.map((name) => `--type=${name}`) ?? [];
  const trust = [`--trusted-root=${join(folder, 'trusted_root.json')}`, '--offline'];
  return { words: [...place.verb, ...type, ...spoken.words, ...trust, place.target] };
}

async function ask(exhibit: Exhibit, folder: string, place: Place): Promise<CliAnswer> {
  const spoken = wordsAt(exhibit, folder, place);
  if ('missing' in spoken) return spoken;
  return answerOfRun(await runNative(place.load, spoken.words, contextAt(exhibit.now, folder)));
}

interface Result {
  readonly images?: readonly {
    readonly reason?: WaybillError['reason'];
    readonly accepted?: readonly Accepted[];
  }[];
  readonly accepted?: readonly Accepted[];
}
interface Accepted {
  readonly degraded: readonly string[];
}

function answerOfRun(run: NativeRun): Answer {
  const value = run.value as Result | undefined;
  const [image] = value?.images ?? [];
  const reason = run.reason ?? image?.reason;
  if (reason !== undefined) {
    if (run.exit === 0) throw new Error(`exit 0 with ${reason.code}`);
    return answerOfReason(reason);
  }
  const [accepted] = image?.accepted ?? value?.accepted ?? [];
  if (run.exit !== 0 || accepted === undefined) throw new Error(`exit ${run.exit} without a reason`);
  return { verdict: 'accept', degraded: accepted.degraded };
}

/** Writes the image, its attachment, trust and key into a folder; the words of the command line that asks. */
export async function prepareImage(exhibit: Exhibit, folder: string): Promise<Words> {
  await prepare(exhibit, folder);
  const layout = join(folder, 'layout');
  await attach(await createLayout(layout), exhibit);
  const isAttestation = exhibit.ask.predicateTypes !== undefined;
  if (isAttestation && exhibit.ask.annotations !== undefined) {
    return { missing: 'annotations of an attestation' };
  }
  return wordsAt(exhibit, folder, {
    verb: isAttestation ? ['verify-attestation'] : ['verify', '--accept-any-predicate'],
    target: `oci:${layout}@${exhibit.digest}`,
  });
}

/** `verify`, or `verify-attestation` where a type is asked for, over a layout with one attachment. */
export function cliImage(folderOf: () => string): (exhibit: Exhibit) => Promise<CliAnswer> {
  return async (exhibit) => {
    const folder = folderOf();
    try {
      const spoken = await prepareImage(exhibit, folder);
      if ('missing' in spoken) return spoken;
      const load = () =>
        exhibit.ask.predicateTypes === undefined
          ? import('../../src/cli/commands/verify.ts')
          : import('../../src/cli/commands/verify-attestation.ts');
      return answerOfRun(await runNative(load, spoken.words, contextAt(exhibit.now, folder)));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}

/** `verify-blob`, or `verify-blob-attestation` where a type is asked for, over files. */
export function cliFile(folderOf: () => string): (exhibit: Exhibit) => Promise<CliAnswer> {
  return async (exhibit) => {
    const { evidence } = exhibit;
    if (!(evidence instanceof Uint8Array)) return { missing: 'a legacy image layer' };
    if (exhibit.ask.annotations !== undefined) return { missing: 'annotations of a file' };
    const folder = folderOf();
    try {
      await prepare(exhibit, folder);
      const bundle = join(folder, 'bundle.sigstore.json');
      await writeFile(bundle, evidence);
      await writeFile(join(folder, 'artifact'), exhibit.artifact);
      const isAttestation = exhibit.ask.predicateTypes !== undefined;
      return await ask(exhibit, folder, {
        verb: [
          ...(isAttestation ? ['verify-blob-attestation'] : ['verify-blob', '--accept-any-predicate']),
          `--bundle=${bundle}`,
        ],
        load: () =>
          isAttestation
            ? import('../../src/cli/commands/verify-blob-attestation.ts')
            : import('../../src/cli/commands/verify-blob.ts'),
        target: join(folder, 'artifact'),
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}

async function attach(layout: Layout, exhibit: Exhibit): Promise<void> {
  const { evidence, artifact, digest } = exhibit;
  const manifest = unwrap(parseManifest(artifact));
  if (manifest.kind !== 'manifest') throw new Error('the artifact is an image manifest');
  const config = new TextEncoder().encode('{}');
  await layout.putBlob(manifest.config, async function* () {
    yield config;
  });
  await layout.putManifest(manifest, { tag: 'app' });
  if (evidence instanceof Uint8Array) {
    const { mediaType } = manifest;
    const subject = { mediaType, digest, size: artifact.length, annotations: new Map<string, string>() };
    await attachBundle(layout, subject, evidence, { createdMs: exhibit.now });
  } else await attachLegacy(layout, exhibit, evidence);
}

async function attachLegacy(layout: Layout, { digest }: Exhibit, layer: LegacyLayer): Promise<void> {
  const of = (name: string): string | undefined =>
    layer.annotations[name] === '' ? undefined : layer.annotations[name];
  const some = (key: string, value: string | undefined): object =>
    value === undefined ? {} : { [key]: value };
  const material = {
    ...some('certificate', of(names.certificate)),
    ...some('rekorBundle', of(names.bundle)),
    ...some('timestamp', of(names.timestamp)),
  };
  if (layer.mediaType === SIMPLE_SIGNING_MEDIA_TYPE) {
    const signature = layer.annotations[names.signature] ?? '';
    await attachLegacySignature(layout, digest, layer.payload, { ...material, signature });
    return;
  }
  const statement = typeOf(layer.payload);
  await attachLegacyAttestation(layout, digest, layer.payload, { ...material, predicateType: statement });
}

/** As a hint for lists; an envelope that cannot be read has none. */
function typeOf(envelope: Uint8Array): string {
  const payload = /"payload":"([^"]*)"/.exec(Buffer.from(envelope).toString())?.[1] ?? '';
  const found = /"predicateType":"([^"]*)"/.exec(Buffer.from(payload, 'base64').toString());
  return found?.[1] ?? 'unknown';
}
