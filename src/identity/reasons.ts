import { defineReasons } from '#base/reason';

export const R = defineReasons({
  noToken: {
    code: 'WB-620',
    check: 'identity.token',
    side: 'environment',
    summary: 'There is no identity token to sign with.',
    hint: 'give --identity-token, set SIGSTORE_ID_TOKEN, or run where a CI provider issues one; --key signs without',
    exit: 31,
  },
  form: {
    code: 'WB-621',
    check: 'identity.form',
    side: 'input',
    summary: 'An identity token is not a signed JWT with the claims a certificate needs.',
    hint: 'give the token itself or the path of a file that holds nothing else',
    exit: 31,
  },
  expired: {
    code: 'WB-622',
    check: 'identity.expiry',
    side: 'environment',
    summary: 'The identity token has expired or is not valid yet.',
    hint: 'fetch a new token right before signing; check the clock of this machine',
    exit: 31,
  },
  audience: {
    code: 'WB-623',
    check: 'identity.audience',
    side: 'input',
    summary: 'The identity token was issued for another service.',
    hint: 'ask the provider for a token with the audience the certificate authority expects (sigstore)',
    exit: 31,
  },
  provider: {
    code: 'WB-624',
    check: 'identity.provider',
    side: 'environment',
    summary: 'The CI provider did not issue an identity token.',
    hint: 'see the message of the provider; GitHub needs permissions: id-token: write',
    exit: 31,
  },
  email: {
    code: 'WB-625',
    check: 'identity.email',
    side: 'input',
    summary: 'The e-mail address in the identity token is not verified.',
    hint: 'verify the address at the identity provider; a certificate is only issued for a verified one',
    exit: 31,
  },
});
