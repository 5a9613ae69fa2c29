/**
 * Table of checks whose removal no test notices, each looked at by a person: the change alters no verdict. An
 * entry is a mutant's key (file, function, change, text) and why nothing can notice.
 */
const bareKey =
  'a requirement of identities and a bare key never meet here: the verifier refuses them at its beginning';

export const reviewed: Readonly<Record<string, string>> = {
  'src/verify/chain.ts timeFault: === as !==: outside === leaf': 'it chooses words of the refusal only',
  "src/verify/checks.ts sct: only the left: required.kind === 'notApplicable' || issued === undefined":
    bareKey,
  "src/verify/checks.ts sct: only the right: required.kind === 'notApplicable' || issued === undefined":
    bareKey,
  "src/verify/checks.ts signer: never: if (issued === undefined) { return err(reason(R.certificateMissing, { expected: 'a certificate', actual: 'a bare key' })); }":
    bareKey,
};
