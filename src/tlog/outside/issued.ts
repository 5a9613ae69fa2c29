/**
 * What an authority says it issued, looked for in a certificate log (the reverse audit of P3): a certificate that was
 * handed out and stands in no log is what transparency is there to find.
 */
import { fromHex, toHex, utf8Text } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { contextTag, parseDer, tags } from '#formats/der';
import { parseJson } from '#formats/json';
import { pemDecode } from '#formats/pem';
import { embeddedScts, precertTbs } from '#formats/sct';
import { type Certificate, parseCertificate } from '#formats/x509';
import { R } from '../reasons.ts';
import { parseCtLeaf } from './static-ct.ts';

const ISSUED = 'certificate issued';
const SERIAL = /^[0-9a-f]{2}(?::?[0-9a-f]{2}){0,31}$/i;

/** Certificates and serial numbers that have to be in a log. */
export class IssuedCertificates {
  /** Names of entries → the certificates that wait for one of them. */
  readonly #byEntry = new Map<string, Certificate>();
  readonly #missing = new Set<Certificate>();
  readonly #serials = new Set<string>();
  #count = 0;

  /**
   * PEM certificates; or lines, each a serial number in hex or a JSON line of the authority's log about a certificate
   * it issued (other JSON lines are passed over). `name` is said in refusals. Throws WB-418.
   */
  add(bytes: Uint8Array, name: string): void {
    const text = utf8Text(bytes);
    if (text.includes('-----BEGIN')) {
      for (const { der } of unwrap(pemDecode(text, 'CERTIFICATE'))) {
        const certificate = unwrap(parseCertificate(der));
        // A chain may be given whole: authorities are not what the log is about.
        if (!certificate.isCa) this.#addCertificate(certificate);
      }
      return;
    }
    for (const [i, line] of text.split('\n').entries()) {
      const serial = serialOf(line.trim());
      if (serial === undefined) {
        const expected = 'PEM certificates, serial numbers in hex, or log lines of an authority';
        throw fail(R.issued, { expected, actual: `line ${i + 1} of ${name}` });
      }
      if (serial !== '' && !this.#serials.has(serial)) {
        this.#serials.add(serial);
        this.#count++;
      }
    }
  }

  /** How many were given, each once. */
  get count(): number {
    return this.#count;
  }

  /** An entry of the log. */
  take(leaf: Uint8Array): void {
    const entry = parseCtLeaf(leaf);
    if (!entry.ok) return;
    const { kind, content, timestamp, extensions } = entry.value;
    const found =
      this.#byEntry.get(precertName(content, timestamp, extensions)) ??
      this.#byEntry.get(toHex(sha256(content)));
    if (found !== undefined) this.#missing.delete(found);
    if (this.#serials.size === 0) return;
    const serial = attempt(() => serialIn(kind, content));
    if (serial.ok) this.#serials.delete(serial.value);
  }

  /** What no entry was found for, in words. */
  missing(): string[] {
    return [
      ...[...this.#missing].map(
        (one) => `certificate ${one.serialHex} of ${one.issuerText} was issued and is not in the log`,
      ),
      ...[...this.#serials].map((serial) => `serial number ${serial} was issued and is not in the log`),
    ];
  }

  #addCertificate(certificate: Certificate): void {
    const whole = toHex(sha256(certificate.der));
    if (this.#byEntry.has(whole)) return;
    this.#byEntry.set(whole, certificate);
    const scts = embeddedScts(certificate);
    if (scts.ok && scts.value.length > 0) {
      const tbs = precertTbs(certificate);
      for (const { timestamp, extensions } of scts.value) {
        this.#byEntry.set(precertName(tbs, timestamp, extensions), certificate);
      }
    }
    this.#missing.add(certificate);
    this.#count++;
  }
}

/** The entry a promise is about: another entry over the same body is not it. */
const precertName = (tbs: Uint8Array, timestamp: number, extensions: Uint8Array): string =>
  `${toHex(sha256(tbs))} ${timestamp} ${toHex(extensions)}`;

/** Hex without leading zeros; '' for a line that says nothing, undefined for one of another form. */
function serialOf(line: string): string | undefined {
  if (line === '' || line.startsWith('#')) return '';
  if (SERIAL.test(line)) return plainHex(fromHex(line.replaceAll(':', '').toLowerCase()));
  const json = line.startsWith('{') ? parseJson(line) : undefined;
  if (json?.ok !== true) return undefined;
  const { msg, serial } = json.value as { readonly msg?: unknown; readonly serial?: unknown };
  if (msg !== ISSUED) return '';
  return typeof serial === 'string' && SERIAL.test(serial)
    ? plainHex(fromHex(serial.toLowerCase()))
    : undefined;
}

const plainHex = (serial: Uint8Array): string => toHex(serial).replace(/^(?:00)+(?=..)/, '');

function serialIn(kind: 'certificate' | 'precertificate', content: Uint8Array): string {
  const outer = unwrap(parseDer(content));
  const tbs = kind === 'certificate' ? outer.cursor('certificate').take(tags.seq, 'TBSCertificate') : outer;
  const cursor = tbs.cursor('TBSCertificate');
  cursor.maybe(contextTag(0));
  return plainHex(cursor.take(tags.int, 'serialNumber').body);
}
