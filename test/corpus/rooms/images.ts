/** Questions about a whole image, readers of predicates, and what is printed. */
import { toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { reasonText } from '#base/reason';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { parseStatement, predicateTypes, statementBytes } from '#formats/intoto';
import type { JsonValue } from '#formats/json';
import { readProvenance } from '#provenance';
import { verifyBundle } from '#verify';
import { plainText } from '../../../src/cli/render/plain.ts';
import { renderReason } from '../../../src/cli/render/reason.ts';
import { renderAccepted } from '../../../src/cli/render/verified.ts';
import { bases, type Step } from '../case.ts';
import { type Answer, itemOf, library } from '../doors.ts';
import { ARTIFACT, exhibit, requirementsOf, trustOf } from '../draft.ts';
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

const WORKFLOW = 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2.3';
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
    const refused = await library(exhibit(draftOf(workflow, [hostile])));
    const { reason } = refused;
    if (reason === undefined) throw new Error('a hostile issuer was accepted');
    const texts = [
      reasonText(reason),
      renderReason(reason),
      JSON.stringify(reason),
      ...(await acceptedTexts()),
    ];
    const denial = await admit(wants, [itemOf(exhibit(draftOf(workflow, [hostile])).evidence)]);
    texts.push(reasonText(denial.reason ?? reason));
    for (const shown of texts) {
      if (hidden.test(shown.replaceAll('\n', '')))
        throw new Error(`printed as it came: ${JSON.stringify(shown)}`);
    }
    return { twin: await library(exhibit(draftOf(workflow))), answer: refused };
  },
};

const HOSTILE = 'https://evil\u202e\u001b[2J\u200b\u061c';
const hostile: Step = ['leaf', { claims: { issuer: HOSTILE } }];

/** What the command line prints when a pattern accepts such an issuer. */
async function acceptedTexts(): Promise<string[]> {
  const { evidence, digest, trustedRoot, now } = exhibit(
    draftOf(bases['workflow'] ?? [], [['statement', 'cosign'], hostile]),
  );
  const ask = { issuer: { regexp: 'https://evil.*' }, san: WORKFLOW };
  const parsed = parseBundle(evidence instanceof Uint8Array ? evidence : new Uint8Array());
  const verdict = verifyBundle({
    bundle: unwrap(parsed),
    artifact: digest,
    trustedRoot: trustOf(trustedRoot),
    requirements: requirementsOf(ask),
    now,
  });
  if (verdict.outcome !== 'accepted') throw new Error('a pattern that matches accepts');
  return [plainText(renderAccepted(verdict).join('\n'))];
}
