/** The licence gate: packages that can only be had under a licence that is denied, or under none that is allowed. */
import parse, { type SpdxNode } from 'spdx-expression-parse';
import type { SbomPackage } from '#formats/sbom';

export interface LicensePolicy {
  /** Names or prefixes that end in `*`, without regard to case; `none` is a package that declares nothing. */
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

export interface LicenseFinding {
  readonly package: SbomPackage;
  /** As declared. */
  readonly licenses: readonly string[];
  readonly reason: string;
}

const matches = (pattern: string, id: string): boolean => {
  const [wanted, given] = [pattern.toLowerCase(), id.toLowerCase()];
  return wanted.endsWith('*') ? given.startsWith(wanted.slice(0, -1)) : wanted === given;
};

function isAcceptable(id: string, { allow, deny }: LicensePolicy): boolean {
  if (deny?.some((pattern) => matches(pattern, id)) === true) return false;
  return allow === undefined || allow.some((pattern) => matches(pattern, id));
}

/**
 * A text that is no SPDX expression: a name, or what rpm, apk and manifests write in their own ways (`MIT and GPLv2+`).
 * Every part holds, also a single word that is denied; `or` may choose where no brackets say otherwise.
 */
function canAcceptText(declared: string, { allow, deny = [] }: LicensePolicy): boolean {
  const choices = /[()]/.test(declared) ? [declared] : declared.split(/\s+or\s+|\|/i);
  return choices.some((choice) => {
    const whole = choice.trim();
    const parts = whole.split(/\s+(?:and|or)\s+|[()|&;,]/i).flatMap((part) => part.trim() || []);
    const texts = [whole, ...parts, ...parts.flatMap((part) => part.split(/\s+/))];
    if (texts.some((text) => deny.some((pattern) => matches(pattern, text)))) return false;
    // A prefix that is allowed says nothing about what else follows.
    const isNamed = allow?.some((pattern) => !pattern.endsWith('*') && matches(pattern, whole)) === true;
    return (
      isNamed ||
      (parts.length > 0 && parts.every((part) => isAcceptable(part, allow === undefined ? {} : { allow })))
    );
  });
}

/** OR may choose, AND may not; a name that is no SPDX expression stands for itself. */
function canAccept(declared: string, policy: LicensePolicy): boolean {
  let node: SpdxNode;
  try {
    node = parse(declared.trim());
  } catch {
    return canAcceptText(declared, policy);
  }
  const judge = (at: SpdxNode): boolean => {
    if ('license' in at) return isAcceptable(`${at.license}${at.plus === true ? '+' : ''}`, policy);
    return at.conjunction === 'and' ? judge(at.left) && judge(at.right) : judge(at.left) || judge(at.right);
  };
  return judge(node);
}

/** Several declared licences all hold. */
export function licenseFindings(packages: readonly SbomPackage[], policy: LicensePolicy): LicenseFinding[] {
  if (policy.allow === undefined && policy.deny === undefined) return [];
  return packages.flatMap((one) => {
    const declared = one.licenses.length === 0 ? ['none'] : one.licenses;
    const bad = declared.filter((license) => !canAccept(license, policy));
    if (bad.length === 0) return [];
    const reason = `${bad.join(', ')} ${policy.deny === undefined ? 'is not allowed' : 'is denied or not allowed'}`;
    return [{ package: one, licenses: one.licenses, reason }];
  });
}
