/** Programs that no package manager installed, recognised by their file name and a text inside them. */
import { utf8 } from '#base/bytes';
import { buildPurl } from '#formats/purl';
import { baseOf } from '../paths.ts';
import { NeedleScan } from '../scan-bytes.ts';
import type { Cataloguer, FoundPackage, StreamScan } from '../types.ts';
import { isProgram } from './elf.ts';

interface BinaryRule {
  readonly name: string;
  readonly fileName: RegExp;
  /** A text shortly before the version. */
  readonly marker: string;
  /** Matched from the marker on; group 1 is the version. */
  readonly version: RegExp;
  readonly cpe: (version: string) => string;
}

const AROUND_BYTES = 96;

const cpe =
  (vendor: string, product: string) =>
  (version: string): string =>
    `cpe:2.3:a:${vendor}:${product}:${version}:*:*:*:*:*:*:*`;

const rules: readonly BinaryRule[] = [
  {
    name: 'node',
    fileName: /^node(?:js)?(?:\.exe)?$/,
    marker: 'node.js/v',
    version: /^node\.js\/v(\d+\.\d+\.\d+)/,
    cpe: cpe('nodejs', 'node.js'),
  },
  {
    name: 'busybox',
    fileName: /^busybox$/,
    marker: 'BusyBox v',
    version: /^BusyBox v(\d+\.\d+\.\d+)/,
    cpe: cpe('busybox', 'busybox'),
  },
  {
    name: 'bash',
    fileName: /^bash$/,
    marker: '@(#)Bash version ',
    version: /^@\(#\)Bash version (\d+\.\d+\.\d+)/,
    cpe: cpe('gnu', 'bash'),
  },
  {
    name: 'openssl',
    fileName: /^(?:openssl|libcrypto\.so(?:\.[\d.]+)?|libssl\.so(?:\.[\d.]+)?)$/,
    marker: 'OpenSSL ',
    version: /^OpenSSL (\d+\.\d+\.\d+[a-z]?) +\d{1,2} [A-Z][a-z]{2} \d{4}/,
    cpe: cpe('openssl', 'openssl'),
  },
  {
    name: 'nginx',
    fileName: /^nginx$/,
    marker: 'nginx version: nginx/',
    version: /^nginx version: nginx\/(\d+\.\d+\.\d+)/,
    cpe: cpe('nginx', 'nginx'),
  },
  {
    name: 'haproxy',
    fileName: /^haproxy$/,
    marker: 'HAProxy version ',
    version: /^HAProxy version (\d+\.\d+\.\d+)/,
    cpe: cpe('haproxy', 'haproxy'),
  },
];

const ruleFor = (base: string): BinaryRule | undefined => rules.find((rule) => rule.fileName.test(base));

export const binary: Cataloguer = {
  name: 'binary',
  reads: 'programs no package manager installed, by a text inside them',
  types: ['generic'],
  evidence: 'installed',
  files: [],
  scanner: {
    accepts: (base, _size, head) => isProgram(head) && ruleFor(base) !== undefined,
    start: (base) => versionScan(ruleFor(base) as BinaryRule),
  },
  catalogue(image) {
    const packages: FoundPackage[] = [];
    for (const file of image.files) {
      const version = file.findings?.get('binary');
      const rule = ruleFor(baseOf(file.path));
      if (version === undefined || rule === undefined) continue;
      packages.push(binaryPackage(rule, new TextDecoder().decode(version), file.path, file.layer));
    }
    return { packages, unknowns: [] };
  },
};

function versionScan(rule: BinaryRule): StreamScan {
  const needle = { bytes: utf8(rule.marker), after: AROUND_BYTES, keep: AROUND_BYTES };
  const versionIn = (bytes: Uint8Array): string | undefined =>
    rule.version.exec(Buffer.from(bytes).toString('latin1'))?.[1];
  const scan = new NeedleScan(needle, (bytes) => versionIn(bytes) !== undefined);
  return {
    write: (chunk) => scan.write(chunk),
    end: () => {
      const bytes = scan.end();
      const version = bytes === undefined ? undefined : versionIn(bytes);
      return version === undefined ? undefined : utf8(version);
    },
  };
}

function binaryPackage(rule: BinaryRule, version: string, path: string, layer: number): FoundPackage {
  const purl = buildPurl({ type: 'generic', name: rule.name, version });
  return {
    type: 'generic',
    name: rule.name,
    version,
    purl: purl.ok ? purl.value : undefined,
    path,
    layer,
    cpes: [rule.cpe(version)],
  };
}
