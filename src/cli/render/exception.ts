/** Exceptions, for people and for machines. */
import { rfc3339 } from '#base/clock';
import type { Drained } from '#flows/exception-drain';
import type { Outbox } from '#flows/exception-outbox';
import type { SignedException } from '#flows/exception-sign';
import { type Exception, isCurrent, type LoadedException } from '#policy';
import { plainLines } from './plain.ts';

const scopeText = ({ namespace, policy, rule }: Exception): string =>
  [`namespace ${namespace}`, policy && `policy ${policy}`, rule && `rule ${rule}`].filter(Boolean).join(', ');

type Signatures = Pick<SignedException, 'id' | 'signers'>;

const exceptionJson = (exception: Exception): object => {
  const { name, digest, namespace, policy, rule, reason, ticket, createdAt, notAfter } = exception;
  const scope = {
    namespace,
    ...(policy === undefined ? {} : { policy }),
    ...(rule === undefined ? {} : { rule }),
  };
  return { name, digest, scope, reason, ticket, createdAt: rfc3339(createdAt), notAfter: rfc3339(notAfter) };
};

export const termsJson = (exception: Exception, { id, signers }: Signatures): object => ({
  id,
  exception: exceptionJson(exception),
  signers,
});

export function renderTerms(exception: Exception, { signers }: Pick<Signatures, 'signers'>): string[] {
  return [
    `  name    ${exception.name}`,
    `  image   ${exception.digest}`,
    `  scope   ${scopeText(exception)}`,
    `  until   ${rfc3339(exception.notAfter)}`,
    `  reason  ${exception.reason} (${exception.ticket})`,
    ...signers.map((signer) => `  signed  ${signer}`),
  ];
}

type State = 'active' | 'ended' | 'not begun' | 'refused';

function stateOf(loaded: LoadedException, nowMs: number): State {
  if (loaded.state === 'refused') return 'refused';
  if (isCurrent(loaded.exception, nowMs).ok) return 'active';
  return nowMs >= loaded.exception.notAfter ? 'ended' : 'not begun';
}

export function loadedJson(loaded: LoadedException, nowMs: number): object {
  const { file } = loaded;
  const state = stateOf(loaded, nowMs);
  if (loaded.state === 'refused') {
    const claims = loaded.claims === undefined ? {} : { claims: exceptionJson(loaded.claims) };
    return { file, state, reason: loaded.reason, ...claims };
  }
  const { exception } = loaded;
  return {
    file,
    state,
    id: exception.id,
    exception: exceptionJson(exception),
    approvedBy: exception.approvedBy,
  };
}

export function renderLoaded(all: readonly LoadedException[], nowMs: number): string {
  const lines = all.flatMap((loaded) => {
    const head = `${stateOf(loaded, nowMs).padEnd(9)} ${loaded.file}`;
    if (loaded.state === 'refused') {
      const { code, check, expected, actual } = loaded.reason;
      return [head, `  ${code} ${check}: expected ${expected}, got ${actual}`];
    }
    const signers = loaded.exception.approvedBy.map(({ identity, issuer }) => `${identity} (${issuer})`);
    return [head, ...renderTerms(loaded.exception, { signers })];
  });
  return lines.length === 0 ? 'no exceptions' : plainLines(lines);
}

type Counts = ReturnType<Outbox['counts']>;

export const drainedJson = (drained: readonly Drained[], counts: Counts): object => ({
  logged: drained.reduce((sum, { uses }) => sum + uses, 0),
  pending: counts.pending,
  entries: drained.flatMap(({ entries }) =>
    entries.map(({ logIndex, kind, version, inclusionProof }) => ({
      logIndex,
      kind,
      version,
      treeSize: inclusionProof?.treeSize ?? null,
    })),
  ),
});

export function renderDrained(drained: readonly Drained[], counts: Counts): string {
  const lines = drained.map(({ uses, entries }) => {
    const places = entries.map(({ logIndex }) => String(logIndex)).join(', ');
    return `logged ${uses} ${uses === 1 ? 'use' : 'uses'} in entry ${places}, inclusion proven`;
  });
  return [...lines, `${counts.pending} pending, ${counts.logged} logged in all`].join('\n');
}
