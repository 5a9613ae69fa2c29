/**
 * Certificates and chains of them in files, for authorities that no trusted root names: read, and put in an order in
 * which each could have issued the one before.
 */
import { toHex, utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { isNonEmpty, type NonEmpty, unwrap } from '#base/result';
import type { CaAuthority, Validity } from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';

/** Files say no interval: certificates and keys count whenever they are valid themselves. */
export const always: Validity = { start: 0 };

const CHAIN_MAX = 10;
/** Certificates that all have one name lead into each other without end. */
const STEPS_MAX = 10_000;

/**
 * Every way up from a certificate of the pools, or from `first`, to an anchor, by names alone: whether the links and
 * the certificates hold is the verifier's question. Throws WB-1305 for more ways than anybody means.
 */
export function authoritiesUp(
  anchors: readonly Certificate[],
  between: readonly Certificate[],
  first: readonly Certificate[] = [...anchors, ...between],
): readonly CaAuthority[] {
  const found: NonEmpty<Certificate>[] = [];
  const bySubject = Map.groupBy([...anchors, ...between], ({ subject }) => toHex(subject));
  let steps = 0;
  const climb = (path: NonEmpty<Certificate>): void => {
    if (++steps > STEPS_MAX) {
      const expected = 'certificates that lead to an anchor in a few ways';
      throw fail(R.optionValue, { expected, actual: `more than ${STEPS_MAX} steps between them` });
    }
    const top = path.at(-1) ?? path[0];
    if (anchors.includes(top)) found.push(path);
    else if (path.length < CHAIN_MAX) {
      for (const next of bySubject.get(toHex(top.issuer)) ?? []) {
        if (!path.includes(next)) climb([...path, next]);
      }
    }
  };
  for (const one of first) climb([one]);
  return found.map((chain) => authorityOf('', chain, always));
}

/**
 * Those of `offered` that an anchor issued, or another of them that it issued: what a stranger made up himself leads
 * nowhere, and is not looked at again.
 */
export async function issuedUnder(
  anchors: readonly Certificate[],
  offered: readonly Certificate[],
): Promise<readonly Certificate[]> {
  const { verifyCertificateSignature } = await import('#formats/x509');
  const found: Certificate[] = [];
  let above = anchors;
  let left = [...new Map(offered.map((one) => [toHex(one.der), one])).values()];
  for (let level = 1; above.length > 0 && level < CHAIN_MAX; level++) {
    const bySubject = Map.groupBy(above, ({ subject }) => toHex(subject));
    const issued = left.filter((one) =>
      bySubject.get(toHex(one.issuer))?.some((issuer) => verifyCertificateSignature(one, issuer)),
    );
    found.push(...issued);
    left = left.filter((one) => !issued.includes(one));
    above = issued;
  }
  return found;
}

export function authorityOf(uri: string, chain: NonEmpty<Certificate>, validFor: Validity): CaAuthority {
  const anchor = chain.at(-1) ?? chain[0];
  const part = (name: string): string =>
    new RegExp(`(?:^|,)${name}=((?:[^,\\\\]|\\\\.)*)`).exec(anchor.subjectText)?.[1] ?? '';
  return { uri, chain, validFor, subject: { organization: part('O'), commonName: part('CN') } };
}

/** Certificates in PEM, at a place as cosign names places. */
export async function certificatesIn(place: string, context: CliContext): Promise<NonEmpty<Certificate>> {
  const [{ pemDecode }, { parseCertificate }, text] = await Promise.all([
    import('#formats/pem'),
    import('#formats/x509'),
    textAt(place, context),
  ]);
  const chain = unwrap(pemDecode(text, 'CERTIFICATE')).map(({ der }) => unwrap(parseCertificate(der)));
  if (isNonEmpty(chain)) return chain;
  throw fail(R.optionValue, { expected: `a certificate in ${place}`, actual: 'none' });
}

const FILE_BYTES_MAX = 256 * 1024;

/** Text of a file, of `env://VARIABLE`, or behind an http or https address. */
export async function textAt(place: string, context: CliContext): Promise<string> {
  if (place.startsWith('env://')) {
    const text = context.env[place.slice('env://'.length)];
    if (text !== undefined && text !== '') return text;
    throw fail(R.optionValue, {
      expected: `something in ${place}`,
      actual: 'no such variable, or an empty one',
    });
  }
  if (/^https?:\/\//.test(place)) {
    const request = { url: place, maxBytes: FILE_BYTES_MAX, redirects: 2 };
    const { status, body } = await context.transport.request(request);
    if (status === 200) return utf8Text(body);
    throw fail(R.optionValue, { expected: `a file at ${place}`, actual: `status ${status}` });
  }
  const [{ readFileLimited }, { resolve }] = await Promise.all([
    import('#platform/files'),
    import('node:path'),
  ]);
  return utf8Text(await readFileLimited(resolve(context.cwd, place), FILE_BYTES_MAX));
}
