/**
 * The certificate extensions of a Sigstore certificate authority, 1.3.6.1.4.1.57264.1.x
 * (fulcio docs/oid-info.md): what the identity token said, as the certificate repeats it.
 */
import { utf8 } from '#base/bytes';
import { fail } from '#base/reason';
import { attempt } from '#base/result';
import { R } from './crypto-reasons.ts';
import { der, readDer, stringText, tags, utf8Value } from './der.ts';

const FULCIO_ARC = '1.3.6.1.4.1.57264.1';
/** Type of the OtherName SAN that carries a user name. */
export const OTHER_NAME_OID = `${FULCIO_ARC}.7`;
export const ISSUER_V1_OID = `${FULCIO_ARC}.1`;
export const ISSUER_V2_OID = `${FULCIO_ARC}.8`;

export interface FulcioExtension {
  readonly oid: string;
  readonly claim: keyof FulcioClaims;
  /** The name in Fulcio's documentation. */
  readonly title: string;
  /** `raw`: the text is the extension value itself; `utf8`: a DER UTF8String. */
  readonly encoding: 'raw' | 'utf8';
}

/** The claims of a certificate; absent where the extension is absent. */
export interface FulcioClaims {
  readonly issuer?: string;
  readonly githubWorkflowTrigger?: string;
  readonly githubWorkflowSha?: string;
  readonly githubWorkflowName?: string;
  readonly githubWorkflowRepository?: string;
  readonly githubWorkflowRef?: string;
  readonly buildSignerUri?: string;
  readonly buildSignerDigest?: string;
  readonly runnerEnvironment?: string;
  readonly sourceRepositoryUri?: string;
  readonly sourceRepositoryDigest?: string;
  readonly sourceRepositoryRef?: string;
  readonly sourceRepositoryIdentifier?: string;
  readonly sourceRepositoryOwnerUri?: string;
  readonly sourceRepositoryOwnerIdentifier?: string;
  readonly buildConfigUri?: string;
  readonly buildConfigDigest?: string;
  readonly buildTrigger?: string;
  readonly runInvocationUri?: string;
  readonly sourceRepositoryVisibilityAtSigning?: string;
  readonly deploymentEnvironment?: string;
  readonly tokenSubject?: string;
}

const row = (
  arc: number,
  claim: keyof FulcioClaims,
  title: string,
  encoding: 'raw' | 'utf8' = 'utf8',
): FulcioExtension => ({ oid: `${FULCIO_ARC}.${arc}`, claim, title, encoding });

/** In the order a Sigstore authority writes them. */
export const fulcioExtensions: readonly FulcioExtension[] = [
  row(1, 'issuer', 'Issuer', 'raw'),
  row(2, 'githubWorkflowTrigger', 'GitHub Workflow Trigger', 'raw'),
  row(3, 'githubWorkflowSha', 'GitHub Workflow SHA', 'raw'),
  row(4, 'githubWorkflowName', 'GitHub Workflow Name', 'raw'),
  row(5, 'githubWorkflowRepository', 'GitHub Workflow Repository', 'raw'),
  row(6, 'githubWorkflowRef', 'GitHub Workflow Ref', 'raw'),
  row(8, 'issuer', 'Issuer (V2)'),
  row(9, 'buildSignerUri', 'Build Signer URI'),
  row(10, 'buildSignerDigest', 'Build Signer Digest'),
  row(11, 'runnerEnvironment', 'Runner Environment'),
  row(12, 'sourceRepositoryUri', 'Source Repository URI'),
  row(13, 'sourceRepositoryDigest', 'Source Repository Digest'),
  row(14, 'sourceRepositoryRef', 'Source Repository Ref'),
  row(15, 'sourceRepositoryIdentifier', 'Source Repository Identifier'),
  row(16, 'sourceRepositoryOwnerUri', 'Source Repository Owner URI'),
  row(17, 'sourceRepositoryOwnerIdentifier', 'Source Repository Owner Identifier'),
  row(18, 'buildConfigUri', 'Build Config URI'),
  row(19, 'buildConfigDigest', 'Build Config Digest'),
  row(20, 'buildTrigger', 'Build Trigger'),
  row(21, 'runInvocationUri', 'Run Invocation URI'),
  row(22, 'sourceRepositoryVisibilityAtSigning', 'Source Repository Visibility At Signing'),
  row(23, 'deploymentEnvironment', 'Deployment Environment'),
  row(24, 'tokenSubject', 'Token Subject'),
];

const byOid = new Map(fulcioExtensions.map((extension) => [extension.oid, extension]));

export const fulcioExtension = (oid: string): FulcioExtension | undefined => byOid.get(oid);

/** Text of one extension value. Throws WB-126 where a DER UTF8String is demanded and something else stands. */
export function readFulcioValue(extension: FulcioExtension, value: Uint8Array): string {
  if (extension.encoding === 'raw') return utf8Value(value);
  const read = attempt(() => readDer(value));
  if (!read.ok || read.value.tag !== tags.utf8) {
    throw fail(R.extension, {
      expected: `${extension.title} as a DER UTF8String`,
      actual: `${value.length} bytes of another form`,
    });
  }
  return stringText(read.value);
}

/** The value of one extension as a certificate carries it. */
export function fulcioValue(extension: FulcioExtension, text: string): Uint8Array {
  return extension.encoding === 'utf8' ? der.utf8(text) : utf8(text);
}
