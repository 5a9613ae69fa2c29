/** Declared licences as SPDX sees them: one id, an expression, or a free name. */
import parse from 'spdx-expression-parse';

export type License =
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'expression'; readonly expression: string }
  | { readonly kind: 'name'; readonly name: string };

/** Ids newer than licence list 3.28.0, the one of the CycloneDX schemas: documents carry them as names. */
const newerIds = new Set([
  'atc-game',
  'Brian-Gladman-3-Clause-no-conversion',
  'BSD-2-Clause-pos-unchanged',
  'BSD-3-Clause-OpenWebUI',
  'BSD-ask-to-endorse',
  'BSD-Source-alt-GPL',
  'BSD-Source-Code-no-disclaimer',
  'Bugroff',
  'CC-BY-NC-3.0-IGO',
  'FDK-MPEG-H',
  'Hippocratic-3.0-core',
  'Informatica',
  'MVT-1.1',
]);

export function classifyLicense(text: string): License {
  const name = text.trim();
  try {
    const node = parse(name);
    const isSimple = 'license' in node && node.plus !== true && node.exception === undefined;
    if (!isSimple) return { kind: 'expression', expression: name };
    const isListed = !newerIds.has(node.license) && !/^(?:LicenseRef|DocumentRef)-/.test(node.license);
    return isListed ? { kind: 'id', id: node.license } : { kind: 'name', name };
  } catch {
    return { kind: 'name', name };
  }
}
