/** Which identities the certificate authority of a development stack believes. */
import { type CiProvider, type IssuerConfig, type IssuerTable, issuerTable } from '#services/ca';
import type { OidcIssuer } from '#services/oidc';

export const AUDIENCE = 'sigstore';

/**
 * Tokens of our own builder and gate: the subject is the URI of the machine, and each claim is named as the
 * certificate field it becomes.
 */
export const workloadFields = [
  'buildSignerUri',
  'buildSignerDigest',
  'runnerEnvironment',
  'sourceRepositoryUri',
  'sourceRepositoryDigest',
  'sourceRepositoryRef',
  'buildConfigUri',
  'buildConfigDigest',
  'buildTrigger',
  'runInvocationUri',
] as const;

const workload: CiProvider = {
  // A field that is absent is left out of the certificate.
  defaults: new Map(workloadFields.map((field) => [field, ''])),
  san: '{{ .sub }}',
  extensions: workloadFields.map((field) => [field, field]),
};

export function developmentIssuers(oidc: OidcIssuer): IssuerTable {
  const issuers: IssuerConfig[] = [
    { issuerUrl: oidc.issuer(''), clientId: AUDIENCE, type: 'email' },
    { issuerUrl: oidc.issuer('github'), clientId: AUDIENCE, type: 'github-workflow' },
    {
      issuerUrl: oidc.issuer('workload'),
      clientId: AUDIENCE,
      type: 'ci-provider',
      ciProvider: 'waybill-workload',
    },
  ];
  return issuerTable(issuers, [], new Map([['waybill-workload', workload]]));
}
