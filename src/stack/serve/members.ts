/**
 * The stations of a private Sigstore that run one by one, as their TUF repository publishes them: a list of public
 * files and addresses. Everything that was ever current stays in it; the last of a kind without an end is current.
 */
import { dirname, resolve } from 'node:path';
import { fromBase64, utf8Text } from '#base/bytes';
import { publicKeyFromPem } from '#base/crypto';
import { fail } from '#base/reason';
import { isNonEmpty, type NonEmpty, unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { type Certificate, readCertificate } from '#formats/x509';
import { readFileLimited } from '#platform/files';
import {
  type ChainFacts,
  type LogFacts,
  type Published,
  publishedMaterial,
  type Window,
} from '../material.ts';
import { type PublicFile, readPublicFile } from './public-file.ts';
import { R } from './reasons.ts';
import { requireKnown, yamlReader } from './yaml.ts';

const FILE_BYTES_MAX = 1024 * 1024;

interface Member {
  readonly url: string;
  readonly about: PublicFile;
  readonly validFor: Window;
}

/** Throws WB-209, WB-1212. `createdAt` is when the repository was made. */
export async function readMembers(path: string, createdAt: number): Promise<Published> {
  const json = yamlReader(utf8Text(await readFileLimited(path, FILE_BYTES_MAX)), path);
  requireKnown(json, ['organization', 'issuers', 'stations']);
  const members: Member[] = [];
  for (const one of json.children('stations')) {
    requireKnown(one, ['url', 'file', 'from', 'until']);
    const url = one.text('url').replace(/\/$/, '');
    if (!/^https?:\/\/[^/]/.test(url)) throw one.wrong('url', 'an http or https URL', url);
    const about = await readPublicFile(resolve(dirname(path), one.text('file')));
    const end = one.optionalTime('until');
    const start = one.optionalTime('from') ?? about.createdAt;
    members.push({ url, about, validFor: { start, ...(end === undefined ? {} : { end }) } });
  }
  const of = (station: string, api?: 'v1' | 'v2'): Member[] =>
    members.filter(({ about }) => about.station === station && about.api === api);
  const current = (list: readonly Member[]): string | undefined =>
    list.findLast(({ validFor }) => validFor.end === undefined)?.url;
  const [ca, ct, log, log2, tsa] = [of('ca'), of('ct'), of('log', 'v1'), of('log', 'v2'), of('tsa')];
  const rest = members.length - [ca, ct, log, log2, tsa].reduce((sum, { length }) => sum + length, 0);
  if (rest > 0 || log.length + log2.length === 0) {
    const expected = `${path} with ca, ct, log and tsa stations, a log among them`;
    throw fail(R.settings, { expected, actual: rest > 0 ? 'another station' : 'no log' });
  }
  const [issuer] = json.has('issuers') ? json.strings('issuers', 16) : [];
  const urls = {
    oidc: issuer,
    ca: current(ca),
    ct: current(ct),
    log: current(log),
    log2: current(log2),
    tsa: current(tsa),
  };
  return publishedMaterial({
    origins: Object.fromEntries(Object.entries(urls).filter(([, url]) => url !== undefined)),
    createdAt: Math.min(createdAt, ...members.map(({ validFor }) => validFor.start)),
    organization: json.optionalString('organization') ?? 'waybill',
    ct: ct.map(logFacts),
    log: log.map(logFacts),
    log2: log2.map(logFacts),
    ca: ca.map(chainFacts),
    tsa: tsa.map(chainFacts),
  });
}

function logFacts({ url, about, validFor }: Member): LogFacts {
  const { key, logId } = about;
  if (key === undefined || logId === undefined) throw incomplete(about, 'key and logId');
  return { baseUrl: url, publicKey: unwrap(publicKeyFromPem(key)), logId: fromBase64(logId), validFor };
}

function chainFacts({ url, about, validFor }: Member): ChainFacts {
  const blocks = about.chain === undefined ? [] : unwrap(pemDecode(about.chain, 'CERTIFICATE'));
  const chain: readonly Certificate[] = blocks.map(({ der }) => readCertificate(der));
  if (!isNonEmpty(chain)) throw incomplete(about, 'chain');
  return { baseUrl: url, chain: chain as NonEmpty<Certificate>, validFor };
}

const incomplete = ({ station }: PublicFile, expected: string): Error =>
  fail(R.settings, { expected: `${expected} in the public file of ${station}`, actual: 'not there' });
