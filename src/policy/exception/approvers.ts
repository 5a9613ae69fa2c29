/** Who may approve exceptions, and for how long: a small file of the platform team. */
import { fail } from '#base/reason';
import { attempt, isNonEmpty, type NonEmpty, type Result, unwrap } from '#base/result';
import { type Identity, identity } from '#verify';
import { readYaml, required, type YamlNode } from '../document.ts';
import { R } from './reasons.ts';

export interface Approver {
  /** E-mail address or URI of the certificate, exact. */
  readonly identity: string;
  readonly issuer: string;
  /** Identities of one person count once. Default: the identity, in lower case. */
  readonly person: string;
}

export interface Approvers {
  readonly all: NonEmpty<Approver>;
  /** For the verifier: exactly these identities. */
  readonly identities: NonEmpty<Identity>;
  /** Longest time from creation to end. */
  readonly hoursMax: number;
}

const HOURS_DEFAULT = 24;
const HOURS_MAX = 24 * 31;

/**
 * `apiVersion: waybill.dev/v1`, `kind: ExceptionApprovers`, `maxHours`, `approvers: [{identity, issuer, person}]`.
 * Fails with WB-751, or WB-720…WB-723 with the position.
 */
export function parseApprovers(text: string, file: string): Result<Approvers> {
  return attempt(() => {
    const [document, ...more] = readYaml(text, file);
    if (document === undefined || more.length > 0) {
      throw fail(R.approvers, { expected: `one document in ${file}`, actual: `${more.length + 1}` });
    }
    const fields = document.fields(['apiVersion', 'kind', 'maxHours', 'approvers']);
    const what = ['apiVersion', 'kind'].map((name) => required(document, fields, name).text()).join(' ');
    if (what !== 'waybill.dev/v1 ExceptionApprovers') {
      throw document.refusal(R.approvers, 'waybill.dev/v1 ExceptionApprovers', what);
    }
    const list = required(document, fields, 'approvers');
    const all = list.items().map(readApprover);
    const people = new Set(all.map(({ person }) => person));
    if (!isNonEmpty(all) || people.size < 2) {
      throw list.refusal(R.approvers, 'at least two people', `${people.size}`);
    }
    const identities = all.map(({ issuer, identity: san }) => unwrap(identity({ issuer, san })));
    return {
      all,
      identities: identities as unknown as NonEmpty<Identity>,
      hoursMax: fields.get('maxHours')?.integer(1, HOURS_MAX) ?? HOURS_DEFAULT,
    };
  });
}

function readApprover(node: YamlNode): Approver {
  const fields = node.fields(['identity', 'issuer', 'person']);
  const name = required(node, fields, 'identity').nonEmptyText();
  const issuer = required(node, fields, 'issuer').nonEmptyText();
  const wild = [name, issuer].find((text) => text.includes('*'));
  if (wild !== undefined) throw node.refusal(R.approvers, 'an exact identity and issuer', wild);
  return { identity: name, issuer, person: fields.get('person')?.nonEmptyText() ?? name.toLowerCase() };
}
