/** Semantic versions (2.0.0) and the ranges Kyverno's `semver_compare` takes: `>1.0.0 <2.0.0 || >=3.0.0`. */

export interface Version {
  readonly core: readonly [bigint, bigint, bigint];
  readonly pre: readonly string[];
}

const form =
  /^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$/;

export function parseVersion(text: string): Version | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [, major, minor, patch, pre] = match;
  return {
    core: [BigInt(major as string), BigInt(minor as string), BigInt(patch as string)],
    pre: pre === undefined ? [] : pre.split('.'),
  };
}

export function compareVersions(a: Version, b: Version): -1 | 0 | 1 {
  for (let i = 0; i < 3; i++) {
    const x = a.core[i] as bigint;
    const y = b.core[i] as bigint;
    if (x !== y) return x < y ? -1 : 1;
  }
  // A version without a pre-release part is the later one.
  if (a.pre.length === 0 || b.pre.length === 0) {
    return a.pre.length === b.pre.length ? 0 : a.pre.length === 0 ? 1 : -1;
  }
  for (let i = 0; i < Math.max(a.pre.length, b.pre.length); i++) {
    const order = compareIdentifiers(a.pre[i], b.pre[i]);
    if (order !== 0) return order;
  }
  return 0;
}

function compareIdentifiers(a: string | undefined, b: string | undefined): -1 | 0 | 1 {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  const isNumberA = /^[0-9]+$/.test(a);
  const isNumberB = /^[0-9]+$/.test(b);
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  const [x, y] = isNumberA ? [BigInt(a), BigInt(b)] : [a, b];
  return x === y ? 0 : x < y ? -1 : 1;
}

/** Undefined when the range cannot be read. */
export function inRange(version: Version, range: string): boolean | undefined {
  let isAnyTrue = false;
  for (const alternative of range.split('||')) {
    const parts = alternative.trim().split(/\s+(?=[<>=!v0-9])/);
    let isTrue = true;
    for (const part of parts) {
      const holds = comparatorHolds(version, part);
      if (holds === undefined) return undefined;
      isTrue &&= holds;
    }
    isAnyTrue ||= isTrue;
  }
  return isAnyTrue;
}

function comparatorHolds(version: Version, part: string): boolean | undefined {
  const match = /^(>=|<=|>|<|==|=|!=|!)?\s*v?([0-9A-Za-z.*+-]+)$/.exec(part);
  if (match === null) return undefined;
  const operator = match[1] ?? '=';
  const written = (match[2] as string).split(/[+-]/)[0] as string;
  const wild = /^([0-9]+)(?:\.([0-9]+))?\.?[xX*]?(?:\.[xX*])?$/.exec(written);
  const bound = parseVersion(match[2] as string);
  if (bound === undefined) return wild === null ? undefined : wildHolds(version, operator, wild);
  const order = compareVersions(version, bound);
  if (operator === '>=') return order >= 0;
  if (operator === '<=') return order <= 0;
  if (operator === '>') return order > 0;
  if (operator === '<') return order < 0;
  return operator.startsWith('!') ? order !== 0 : order === 0;
}

/** `1.x`, `1.2.x`, `1.2`: the whole line of versions. */
function wildHolds(version: Version, operator: string, wild: RegExpExecArray): boolean {
  const parts = [wild[1], wild[2]].filter((part) => part !== undefined).map((part) => BigInt(part as string));
  let order = 0;
  for (const [i, part] of parts.entries()) {
    const own = version.core[i] as bigint;
    if (order === 0 && own !== part) order = own < part ? -1 : 1;
  }
  if (operator === '>=') return order >= 0;
  if (operator === '<=') return order <= 0;
  if (operator === '>') return order > 0;
  if (operator === '<') return order < 0;
  return operator.startsWith('!') ? order !== 0 : order === 0;
}
