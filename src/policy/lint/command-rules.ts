/** Rules about command lines around policies: scripts, pages and workflow steps that verify by hand. */
import { breadthOf, regexpFaults } from './identity-text.ts';

export interface CommandHit {
  /** Offset in the text. */
  readonly at: number;
  readonly message: string;
}

export interface CommandRule {
  readonly code: string;
  readonly title: string;
  readonly fix: string;
  readonly look: (command: string) => readonly CommandHit[];
}

const flag = /--certificate-identity-regexp[= ]+(?:"([^"]*)"|'([^']*)'|(\S+))/g;

function flagHits(command: string, judge: (value: string) => readonly string[]): CommandHit[] {
  return [...command.matchAll(flag)].flatMap((match) =>
    judge(match[1] ?? match[2] ?? match[3] ?? '').map((message) => ({ at: match.index, message })),
  );
}

function once(command: string, pattern: RegExp, message: string): CommandHit[] {
  const at = command.search(pattern);
  return at < 0 ? [] : [{ at, message }];
}

const isVerifying = /(?:^|[\s;&|(])cosign\s+verify(?:-attestation|-blob)?\s/;

function anybodyHits(command: string): CommandHit[] {
  const names = /--(?:key|certificate-identity(?:-regexp)?|policy|sk)\b/;
  if (!isVerifying.test(command) || names.test(command)) return [];
  return once(
    command,
    isVerifying,
    'no identity is given; current cosign refuses to run, older ones accept anybody',
  );
}

export const commandRules: readonly CommandRule[] = [
  {
    code: 'LNT030',
    title: 'An identity expression on a command line matches more than it seems to.',
    fix: 'anchor it with ^ and $ and escape its dots, or give --certificate-identity',
    look: (command) => flagHits(command, regexpFaults),
  },
  {
    code: 'LNT031',
    title: 'An identity on a command line covers any workflow of a repository or of an organisation.',
    fix: 'name the workflow file and the refs',
    look: (command) =>
      flagHits(command, (value) => {
        const message = breadthOf(value, true);
        return message === undefined ? [] : [message];
      }),
  },
  {
    code: 'LNT032',
    title: 'Verification without an identity.',
    fix: 'give --certificate-identity and --certificate-oidc-issuer, or --key',
    look: anybodyHits,
  },
  {
    code: 'LNT033',
    title: 'A log search for something that is never indexed.',
    fix: 'search by digest: waybill audit search sha256:…',
    look: (command) =>
      once(
        command,
        /rekor-cli\s+search\s+--artifact\s+<\(\s*cosign\s+download/,
        'this hashes a JSON dump of the signature, which no log has indexed',
      ),
  },
  {
    code: 'LNT034',
    title: 'A log search by image digest that misses plain signatures.',
    fix: 'use waybill audit search, which joins signatures by the digest of their payload',
    look: (command) =>
      once(
        command,
        /rekor-cli\s+search\s+--sha\b/,
        'plain signatures are indexed by the digest of their payload, and Rekor v2 has no search',
      ),
  },
  {
    code: 'LNT035',
    title: 'The body of a log entry read as if it were the certificate.',
    fix: 'use waybill audit search, which prints the identity',
    look: (command) =>
      once(
        command,
        /rekor-cli\s+get\b.*\bjq\s+['"]?\.Body/s,
        'Body holds a base64 PEM; this prints no identity',
      ),
  },
];
