/**
 * Image references, `[registry/]repository[:tag][@digest]`, with one canonical form for each meaning
 * (distribution-spec "Pulling manifests"; the grammar and Docker Hub defaults of distribution/reference).
 *
 * Canonical: a short name gets `docker.io` (and `library/` when it is one word), the host is lower-case,
 * `index.docker.io` and `registry-1.docker.io` are `docker.io`, the default port `:443` is dropped, except after a
 * host of one word, which only the port tells from a repository.
 */
import type { Digest, PinnedRef, TagRef } from '#base/brand';
import { parseDigest } from '#base/digest';
import { reason } from '#base/reason';
import { err, ok, type Result, unwrap } from '#base/result';
import { R } from './oci-reasons.ts';

export interface Reference {
  /** Host with optional port: `docker.io`, `ghcr.io`, `localhost:5000`, `[::1]:5000`. */
  readonly registry: string;
  /** Path below the registry: `library/nginx`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** A reference whose digest is known: what can be verified, signed, run. */
export type DigestReference = Reference & { readonly digest: Digest };

const DOCKER_HUB = 'docker.io';
const dockerHubNames = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

const hostLabel = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const hostForm = new RegExp(`^(?:\\[[0-9a-f:]{2,45}\\]|${hostLabel}(?:\\.${hostLabel})*)(?::[0-9]{1,5})?$`);
const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const repositoryForm = new RegExp(`^${component}(?:/${component})*$`);
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

export const REPOSITORY_CHARS_MAX = 255;
const HOST_CHARS_MAX = 255;
const REFERENCE_CHARS_MAX = 1024;

export const isRepositoryName = (text: string): boolean =>
  text.length <= REPOSITORY_CHARS_MAX && repositoryForm.test(text);
export const isTagName = (text: string): boolean => tagForm.test(text);

/**
 * Parses and normalises a reference. Without tag and digest the tag is `latest`; with both, both are kept and
 * the digest is what counts. Refuses URLs, upper-case repositories, malformed digests (WB-185).
 */
export function parseReference(text: string): Result<Reference> {
  const shown = JSON.stringify(text.slice(0, 200));
  if (text.length > REFERENCE_CHARS_MAX) return refused('at most 1024 characters', `${text.length}`);
  if (text === '' || /[^\x21-\x7e]/.test(text)) {
    return refused('printable ASCII without spaces', shown, 'write an international host name in punycode');
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return refused('a reference without a scheme', shown, 'leave out the part up to and including ://');
  }
  const { name, tag, digestText } = split(text);
  const place = parseName(name, shown);
  if (!place.ok) return place;
  if (tag !== undefined && !isTagName(tag)) {
    return refused('a tag of at most 128 letters, digits, ".", "_" and "-"', JSON.stringify(tag));
  }
  if (digestText === undefined) return ok({ ...place.value, tag: tag ?? 'latest' });
  const digest = parseDigest(digestText);
  if (!digest.ok) return refused('a digest of the form sha256:<64 lower-case hex digits>', shown);
  return ok({ ...place.value, ...(tag === undefined ? {} : { tag }), digest: digest.value });
}

/** Like `parseReference` for a repository without tag and digest, as in `COSIGN_REPOSITORY`. */
export function parseRepository(text: string): Result<{ registry: string; repository: string }> {
  const parsed = parseReference(text);
  if (!parsed.ok) return parsed;
  const { registry, repository } = parsed.value;
  const { tag, digestText } = split(text);
  if (tag !== undefined || digestText !== undefined) {
    return refused('a repository without tag or digest', JSON.stringify(text));
  }
  return ok({ registry, repository });
}

function split(text: string): { name: string; tag?: string; digestText?: string } {
  const at = text.indexOf('@');
  const left = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? {} : { digestText: text.slice(at + 1) };
  // A colon before the last slash belongs to the port.
  const colon = left.indexOf(':', left.lastIndexOf('/') + 1);
  if (colon < 0) return { name: left, ...digest };
  return { name: left.slice(0, colon), tag: left.slice(colon + 1), ...digest };
}

function parseName(name: string, shown: string): Result<{ registry: string; repository: string }> {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost = /[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  const host = normaliseHost(isHost ? first : DOCKER_HUB);
  if (!host.ok) return host;
  let repository = isHost ? name.slice(slash + 1) : name;
  if (host.value === DOCKER_HUB && !repository.includes('/')) repository = `library/${repository}`;
  if (!isRepositoryName(repository)) {
    const hint = /[A-Z]/.test(repository) ? 'repository names are lower-case' : R.reference.hint;
    return refused(
      'a repository of at most 255 lower-case letters, digits, ".", "_", "-" and "/"',
      shown,
      hint,
    );
  }
  return ok({ registry: host.value, repository });
}

/** The canonical host of a registry, as it appears in `Reference.registry`. */
export function normaliseHost(text: string): Result<string> {
  const host = text.toLowerCase();
  const port = /:([0-9]+)$/.exec(host)?.[1];
  const portIsGood = port === undefined || (Number(port) > 0 && Number(port) <= 65_535);
  if (host.length > HOST_CHARS_MAX || !hostForm.test(host) || !portIsGood) {
    const hint = host.replace(/:\d+$/, '').endsWith('.')
      ? 'leave out the dot after the host name'
      : R.reference.hint;
    return refused(
      'a registry host such as registry.example or registry.example:5000',
      JSON.stringify(text),
      hint,
    );
  }
  const bare = host.endsWith(':443') ? host.slice(0, -4) : host;
  // Without dot or port a text that begins with this host would be read as a repository of Docker Hub.
  if (!/[.:[]/.test(bare) && bare !== 'localhost') return ok(`${bare}:443`);
  return ok(dockerHubNames.has(bare) ? DOCKER_HUB : bare);
}

function refused(expected: string, actual: string, hint?: string): Result<never> {
  return err(reason(R.reference, { expected, actual, ...(hint === undefined ? {} : { hint }) }));
}

/** `registry/repository`. */
export const repositoryText = (ref: Pick<Reference, 'registry' | 'repository'>): string =>
  `${ref.registry}/${ref.repository}`;

/** The canonical text with everything the reference names. */
export function referenceText(ref: Reference): string {
  const tag = ref.tag === undefined ? '' : `:${ref.tag}`;
  const digest = ref.digest === undefined ? '' : `@${ref.digest}`;
  return `${repositoryText(ref)}${tag}${digest}`;
}

/** `registry/repository@digest`: the only text that names one content for ever. */
export const pinnedText = (ref: Pick<Reference, 'registry' | 'repository'>, digest: Digest): PinnedRef =>
  `${repositoryText(ref)}@${digest}` as PinnedRef;

export const tagText = (ref: Pick<Reference, 'registry' | 'repository'>, tag: string): TagRef =>
  `${repositoryText(ref)}:${tag}` as TagRef;

/** A reference that must carry a digest. */
export function parsePinned(text: string): Result<DigestReference> {
  const parsed = parseReference(text);
  if (!parsed.ok) return parsed;
  if (parsed.value.digest === undefined) {
    return refused(
      'a reference with a digest',
      JSON.stringify(text),
      'run waybill digest to resolve the tag',
    );
  }
  return ok(parsed.value as DigestReference);
}

/** `parseReference` for texts written in code; throws on a malformed one. */
export const reference = (text: string): Reference => unwrap(parseReference(text));
