/** Questions about a whole image, readers of predicates, and what is printed. */
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { reasonText } from '#base/reason';
import { parseStatement, predicateTypes, statementBytes } from '#formats/intoto';
import type { JsonValue } from '#formats/json';
import { readProvenance } from '#provenance';
import { renderReason } from '../../../src/cli/render/reason.ts';
import { bases } from '../case.ts';
import { type Answer, itemOf, library } from '../doors.ts';
import { ARTIFACT, exhibit } from '../draft.ts';
import { draftOf } from '../recipes/index.ts';
import { admit } from './policy.ts';
import { answerOfResult, type Room } from './room.ts';

const wants = `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: p}
spec:
  images: [{glob: "registry.example/**"}]
  authorities:
    - name: built
      keyless:
        url: https://fulcio.example
        identities: [{subject: dev@acme.example, issuer: "https://issuer.example"}]
      attestations: [{name: provenance, predicateType: slsaprovenance1}]
`;
const attested = (predicateType: string) =>
  itemOf(exhibit(draftOf(bases['v1'] ?? [], [['statement', { predicateType }]])).evidence);

const predicates: Readonly<Record<string, JsonValue>> = {
  'provenance whose predicate is a text': 'x',
  'provenance whose predicate is a list': [],
  'provenance whose predicate is a null': null,
  'provenance whose predicate is a number': 5,
};

function read(predicate: JsonValue): Answer {
  const bytes = statementBytes({
    subject: [{ digest: { sha256: toHex(sha256(ARTIFACT)) } }],
    predicateType: predicateTypes.slsaprovenance1,
    predicate,
  });
  const statement = parseStatement(bytes);
  return statement.ok ? answerOfResult(readProvenance(statement.value)) : answerOfResult(statement);
}

const provenance: JsonValue = {
  buildDefinition: { buildType: 'https://example.com/build/v1', externalParameters: {} },
  runDetails: { builder: { id: 'https://example.com/builder' } },
};

const hidden = /[\p{Cc}\p{Cf}]/u;

export const imageRoom: Room = {
  attached: async ([, what]) => {
    const others = [attested('https://spdx.dev/Document'), attested('https://cyclonedx.org/bom')];
    const twin = await admit(wants, [...others, attested(predicateTypes.slsaprovenance1)]);
    return { twin, answer: await admit(wants, what === 'nothing' ? [] : others) };
  },
  predicate: (_, item) => {
    if (!Object.hasOwn(predicates, item.title)) throw new Error(`no predicate for ${item.title}`);
    return { twin: read(provenance), answer: read(predicates[item.title] as JsonValue) };
  },
  printed: async () => {
    const workflow = bases['workflow'] ?? [];
    const hostile = { issuer: 'https://evil\u202e\u001b[2J', githubWorkflowRef: 'x' };
    const answer = await library(exhibit(draftOf(workflow, [['leaf', { claims: hostile }]])));
    const { reason } = answer;
    const shown =
      reason === undefined ? '' : `${reasonText(reason)}${renderReason(reason)}`.replaceAll('\n', '');
    if (shown === '' || hidden.test(shown)) throw new Error(`printed as it came: ${JSON.stringify(shown)}`);
    const inJson = utf8(JSON.stringify(reason ?? {}));
    if (inJson.includes(0x1b)) throw new Error('an escape sequence in JSON');
    return { twin: await library(exhibit(draftOf(workflow))), answer };
  },
};
