/** Which chains the log takes: each certificate signed by the next, the last by a root of this log or one itself. */
import { equalBytes, latin1, toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { type NonEmpty, unwrap } from '#base/result';
import {
  type Certificate,
  parseCertificate,
  verifyCertificateSignature,
  verifyCertificateSignatureAsync,
} from '#formats/x509';
import { POISON_OID } from '#formats/x509-build';
import { R } from './reasons.ts';

export interface CheckedChain {
  readonly certificate: Certificate;
  /** From the direct issuer to the root. */
  readonly issuers: NonEmpty<Certificate>;
}

/** Extended key usage of a certificate that signs precertificates for its issuer (RFC 6962 §3.1). */
const PRECERT_SIGNING = '1.3.6.1.4.1.11129.2.4.4';

/** Issuers kept parsed; a log sees the same few with every chain. */
const KNOWN_ISSUERS_MAX = 64;

/** Checks chains and remembers of their issuers what no time changes: what they say, and who signed whom. */
export class ChainChecker {
  readonly #issuers = new Map<string, Certificate>();
  /** For a kept issuer those that signed it. */
  readonly #links = new WeakMap<Certificate, WeakSet<Certificate>>();

  /**
   * Checks a chain, leaf first; the root may be left out. Validity times are not looked at: a log records, it does
   * not judge. Rejects with WB-1020, WB-1021 and the certificate reasons.
   */
  async check(
    chain: readonly Uint8Array[],
    roots: readonly Certificate[],
    isPrecert: boolean,
  ): Promise<CheckedChain> {
    const [leaf, ...rest] = chain.slice(0, limits.chainCertificates);
    if (leaf === undefined || chain.length > limits.chainCertificates) {
      throw refused(`1 to ${limits.chainCertificates} certificates`, `${chain.length}`);
    }
    const certificate = unwrap(parseCertificate(leaf));
    const above = rest.map((der) => this.#issuer(der));
    checkPoison(certificate, isPrecert);
    const issuers = withRoot(certificate, above, roots);
    let child = certificate;
    for (const issuer of issuers) {
      await this.#checkLink(child, issuer);
      child = issuer;
    }
    if (isPrecert && issuers[0].extKeyUsages.includes(PRECERT_SIGNING)) {
      throw refused('a precertificate signed by its final issuer', 'a precertificate signing certificate');
    }
    return { certificate, issuers };
  }

  #issuer(der: Uint8Array): Certificate {
    const key = latin1(der);
    const known = this.#issuers.get(key);
    if (known !== undefined) return known;
    // A copy: what is kept must not hold the request it came in, nor change with it.
    const parsed = unwrap(parseCertificate(der.slice()));
    const [oldest] = this.#issuers.keys();
    if (this.#issuers.size >= KNOWN_ISSUERS_MAX && oldest !== undefined) this.#issuers.delete(oldest);
    this.#issuers.set(key, parsed);
    return parsed;
  }

  async #checkLink(child: Certificate, issuer: Certificate): Promise<void> {
    if (this.#links.get(child)?.has(issuer) === true) return;
    if (!equalBytes(child.issuer, issuer.subject)) {
      throw refused(`a certificate of ${child.issuerText}`, issuer.subjectText);
    }
    if (!issuer.isCa) throw refused('issuers that are authorities', issuer.subjectText);
    if (!(await verifyCertificateSignatureAsync(child, issuer))) {
      throw refused(`a signature by ${issuer.subjectText}`, 'one that does not verify');
    }
    // A leaf is seen once.
    if (child.isCa) this.#links.set(child, (this.#links.get(child) ?? new WeakSet()).add(issuer));
  }
}

function checkPoison(certificate: Certificate, isPrecert: boolean): void {
  const poison = certificate.extensions.get(POISON_OID);
  if (poison !== undefined && !poison.critical) throw refused('a critical poison extension', 'another');
  if ((poison !== undefined) === isPrecert) return;
  const words = ['a certificate', 'a precertificate'];
  const [expected, actual] = isPrecert ? words.toReversed() : words;
  throw fail(R.kind, { expected: expected as string, actual: actual as string });
}

/** The issuers, ending in a root of this log. */
function withRoot(
  certificate: Certificate,
  above: readonly Certificate[],
  roots: readonly Certificate[],
): NonEmpty<Certificate> {
  const last = above.at(-1);
  if (last !== undefined && roots.some((root) => equalBytes(root.der, last.der))) {
    return above as unknown as NonEmpty<Certificate>;
  }
  const top = last ?? certificate;
  const root = roots.find(
    (one) => equalBytes(one.subject, top.issuer) && verifyCertificateSignature(top, one),
  );
  if (root !== undefined) return [...above, root] as unknown as NonEmpty<Certificate>;
  throw refused('a chain to a root of this log', `issuer ${top.issuerText || toHex(sha256(top.issuer))}`);
}

function refused(expected: string, actual: string) {
  return fail(R.chain, { expected, actual });
}
