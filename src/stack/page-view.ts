/** What the page of a stack shows, asked of the running stations. */
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { mirrorMap, registryEvidence } from '#facts';
import { lineageOf } from '#flows/lineage';
import { parseReference, parseRepository, type Reference, repositoryText } from '#formats/reference';
import { parseTrustedRoot } from '#formats/trusted-root';
import { Registry } from '#oci';
import { httpTransport } from '#platform/http-client';
import type { ExpiryView, ImageRecords, LogView, Overview, SeenImage, StackView } from '#services/audit';
import type { RegistryService } from '#services/registry';
import { trustMaterial } from '#verify';
import { R } from './reasons.ts';
import { type StackState, stackTransport } from './state.ts';
import type { Stations } from './stations.ts';
import { stationStates } from './status.ts';

export interface PageViewDeps {
  readonly state: StackState;
  readonly dataDir: string;
  readonly stations: Stations;
  readonly trustedRoot: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
}

const DEVELOPMENT =
  'One trust domain on this machine: its issuer mints any identity for whoever reaches it. Nothing signed here proves anything elsewhere.';

export function stackView(deps: PageViewDeps): StackView {
  const { state, dataDir, stations, trustedRoot, clock, random } = deps;
  const { origins } = state;
  const transport = stackTransport(dataDir, state, httpTransport());
  const host = new URL(origins.registry).host;
  const registry = new Registry({ transport, random });
  const evidence = registryEvidence(({ repository }) => [
    registry.repository({ registry: host, repository }),
  ]);
  const trust = trustMaterial(unwrap(parseTrustedRoot(trustedRoot)));
  const place = placeOf(host, state);
  return {
    banner:
      state.simulate === undefined ? DEVELOPMENT : `It plays ${state.simulate.provider}. ${DEVELOPMENT}`,
    overview: async (): Promise<Overview> => ({
      stations: await stationStates(origins, transport),
      logs: await logsOf(stations),
      expiries: await expiriesOf(stations),
    }),
    images: () => Promise.resolve(seenImages(stations.images, stations.registry)),
    async resolve(text) {
      const { repository, tag, digest } = place(text);
      const source = registry.repository({ registry: host, repository });
      const found = await source.resolve({
        ...(tag === undefined ? {} : { tag }),
        ...(digest === undefined ? {} : { digest }),
      });
      return { repository, digest: found.digest };
    },
    attached: (repository, digest) => evidence.attached({ repository, digest }),
    lineage: (digest) =>
      lineageOf(digest, { auditUrl: origins.audit, trustedRoot: trust, transport, clock, random }),
    // No webhook reports to a stack yet.
    admissions: () => Promise.resolve(undefined),
    trust: () => trust,
  };
}

/** A name without a host is one of this registry; a name that is mirrored here is looked up here. */
function placeOf(host: string, { simulate }: StackState) {
  const mirror = mirrorMap(simulate?.mirrors ?? []);
  return (text: string): Reference => {
    const slash = text.indexOf('/');
    const isNamed = slash > 0 && /[.:]|^localhost$/.test(text.slice(0, slash));
    const reference = unwrap(parseReference(isNamed ? text : `${host}/${text}`));
    const mapped = unwrap(parseRepository(mirror(repositoryText(reference))));
    return hereOnly(host, { ...reference, ...mapped });
  };
}

function hereOnly(host: string, reference: Reference): Reference {
  if (reference.registry === host) return reference;
  throw fail(R.elsewhere, { expected: `an image of ${host}`, actual: `one of ${reference.registry}` });
}

function seenImages(records: ImageRecords, registry: RegistryService): readonly SeenImage[] {
  const tags = new Map<string, ReturnType<RegistryService['tags']>>();
  const tagsOf = (repository: string): ReturnType<RegistryService['tags']> => {
    const known = tags.get(repository) ?? registry.tags(repository);
    tags.set(repository, known);
    return known;
  };
  return records.list().flatMap((record): SeenImage[] => {
    const { repository, digest, parent } = record;
    const own = tagsOf(repository).filter((one) => one.digest === digest);
    // The parts of an index are shown with it, unless they have names of their own.
    if (parent !== undefined && own.length === 0) return [];
    const isHere = registry.holds(repository, digest);
    return [{ ...record, tags: own.map(({ tag }) => tag), isHere }];
  });
}

async function logsOf({ log, log2, ct }: Stations): Promise<readonly LogView[]> {
  const [first, second] = await Promise.all([log.coverage(), log2.coverage()]);
  return [
    {
      title: 'Transparency log, API v1',
      origin: log.origin,
      size: first.treeSize,
      checkpoint: first.checkpoint,
    },
    {
      title: 'Transparency log, API v2',
      origin: log2.origin,
      size: second.treeSize,
      checkpoint: second.checkpoint,
    },
    { title: 'Certificate log', origin: ct.log.signer.origin, size: ct.log.tree.size },
  ];
}

async function expiriesOf(stations: Stations): Promise<readonly ExpiryView[]> {
  const { ca, tsa, tuf, log, log2, ct } = stations;
  const until = (what: string, certificate: { subjectText: string; notAfter: number }): ExpiryView => ({
    what,
    detail: certificate.subjectText,
    at: certificate.notAfter,
    renewsItself: false,
  });
  const status = await tuf.status();
  const roles =
    status === undefined
      ? []
      : (['root', 'targets', 'snapshot', 'timestamp'] as const).map(
          (role): ExpiryView => ({
            what: `TUF ${role}`,
            detail: `version ${status[`${role}Version`]}`,
            at: status.expires[role],
            renewsItself: true,
          }),
        );
  const key = (what: string, kind: string): ExpiryView => ({ what, detail: kind, renewsItself: false });
  return [
    until('Certificate authority, root', ca.root),
    until('Certificate authority, intermediate', ca.intermediate),
    until('Timestamp authority, root', tsa.chain[1]),
    until('Timestamp authority, signer', tsa.chain[0]),
    ...roles,
    key('Key of the log, API v1', log.publicKey.kind),
    key('Key of the log, API v2', log2.publicKey.kind),
    key('Key of the certificate log', ct.publicKey.kind),
  ];
}
