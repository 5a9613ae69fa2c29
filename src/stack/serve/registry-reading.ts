/**
 * Reads what is attached to the images of registries elsewhere, for the audit station: an image is found by its tags,
 * by the names of cosign's tags, and as part of an index. One pass after the other asks for everything again; what was
 * recorded once stays recorded, whatever becomes of the registry.
 */
import type { Digest } from '#base/brand';
import { parseDigest } from '#base/digest';
import { limits } from '#base/limits';
import { fail, reasonText, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { parseRepository } from '#formats/reference';
import { type Attachments, listAttachments, type Registry, type Repository } from '#oci';
import type { Logger } from '#platform/telemetry';
import { type ClaimBatch, type Claims, claimOf } from '#services/audit';
import { DSSE_MEDIA_TYPE, SIMPLE_SIGNING_MEDIA_TYPE } from '#verify';
import { R } from './reasons.ts';

export interface ReadingSettings {
  readonly client: Registry;
  /** Hosts whose catalogue is read. */
  readonly hosts: readonly string[];
  /** `host/name`, for registries without a catalogue. */
  readonly repositories: readonly string[];
}

const CATALOGUE_BYTES_MAX = 4 * 1024 * 1024;
const ATTACHED_TAG = /^sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?$/;

/** One pass over all registries. What cannot be read is logged and asked for again with the next pass. */
export async function readRegistries(settings: ReadingSettings, claims: Claims, log: Logger): Promise<void> {
  const names = new Set(settings.repositories);
  const failed: OnFailure = (what) => (error) => {
    const why = error instanceof WaybillError ? reasonText(error.reason) : String(error);
    log.warn({ what, why }, 'not read for audit; asked again later');
    return undefined;
  };
  for (const host of settings.hosts) {
    const listed = catalogue(settings.client, host);
    for (const name of (await listed.catch(failed(host))) ?? []) names.add(`${host}/${name}`);
  }
  for (const name of names) {
    const repository = settings.client.repository(unwrap(parseRepository(name)));
    await readRepository(repository, claims, failed).catch(failed(name));
  }
}

type OnFailure = (what: string) => (error: unknown) => undefined;

async function catalogue(client: Registry, host: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (let page = 0, last = ''; page < limits.listPages; page++) {
    const path = `/v2/_catalog?n=1000${last === '' ? '' : `&last=${encodeURIComponent(last)}`}`;
    const scope = { repository: '*', actions: 'pull' } as const;
    const answer = await client.wire(host).send({ path, scope, maxBytes: CATALOGUE_BYTES_MAX });
    const read = attempt(() =>
      reader(unwrap(parseJson(answer.body)), 'catalogue', { as: R.notFollowed }).strings('repositories'),
    );
    if (answer.status !== 200 || !read.ok) {
      const expected = `the catalogue of ${host}; without one name each --repository`;
      throw fail(R.notFollowed, { expected, actual: `status ${answer.status}` });
    }
    const end = read.value.at(-1);
    names.push(...read.value);
    if (end === undefined || end === last || !answer.headers.has('link')) return names;
    last = end;
  }
  return names;
}

async function readRepository(repository: Repository, claims: Claims, failed: OnFailure): Promise<void> {
  for (const subject of await imagesOf(repository)) {
    const name = `${repository.name}@${subject}`;
    try {
      await record(await listAttachments(repository, subject), repository.name, claims);
    } catch (error) {
      failed(name)(error);
    }
  }
}

async function imagesOf(repository: Repository): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>();
  for (const tag of await repository.tags()) {
    const [, hex] = ATTACHED_TAG.exec(tag) ?? [];
    if (hex !== undefined) found.add(unwrap(parseDigest(`sha256:${hex}`)));
    else {
      const { digest } = await repository.resolve({ tag });
      found.add(digest);
      const manifest = await repository.manifest(digest);
      if (manifest.kind === 'index') for (const part of manifest.manifests) found.add(part.digest);
    }
  }
  return found;
}

async function record(found: Attachments, seenIn: string, claims: Claims): Promise<void> {
  const blobs = [
    ...found.bundles.map(({ mediaType, bytes, manifest }) => ({ mediaType, bytes, manifest })),
    ...found.legacyAttestations.map(({ envelope: bytes, manifest }) => ({
      ...{ mediaType: DSSE_MEDIA_TYPE, bytes, manifest },
    })),
    ...found.legacySignatures.map(({ payload: bytes, manifest }) => ({
      ...{ mediaType: SIMPLE_SIGNING_MEDIA_TYPE, bytes, manifest },
    })),
  ].filter(({ manifest }) => !claims.hasManifest(manifest.digest));
  const batch = blobs.flatMap(({ mediaType, bytes }): ClaimBatch['claims'][number][] => {
    const claim = claimOf(mediaType, bytes);
    return claim === undefined ? [] : [{ claim, seenIn }];
  });
  if (blobs.length === 0) return;
  await claims.record({ claims: batch, manifests: blobs.map(({ manifest }) => manifest.digest) });
}
