import { defineReasons } from '#base/reason';

export const R = defineReasons({
  loopback: {
    code: 'WB-1070',
    check: 'oidc.loopback',
    side: 'usage',
    summary: 'The development issuer is reached from beyond this machine.',
    hint: 'bind it to 127.0.0.1 or ::1; it mints any identity for anybody who reaches it',
    status: 403,
  },
  host: {
    code: 'WB-1071',
    check: 'oidc.host',
    side: 'input',
    summary: 'A request reached the development issuer under a name that is not this machine.',
    hint: 'use the loopback address the stack printed',
    status: 403,
  },
  tokenRequest: {
    code: 'WB-1072',
    check: 'oidc.tokenRequest',
    side: 'input',
    summary: 'A token request to the development issuer cannot be used.',
    hint: 'send JSON with sub, and optionally email, aud, expiresIn (seconds) and claims',
  },
  realm: {
    code: 'WB-1073',
    check: 'oidc.realm',
    side: 'input',
    summary: 'The development issuer has no realm of this name.',
    hint: 'leave realm out for e-mail identities, or use one the README of the service lists',
    status: 404,
  },
  authorize: {
    code: 'WB-1074',
    check: 'oidc.authorize',
    side: 'input',
    summary: 'An authorization request or a code of the development issuer cannot be used.',
    hint: 'start the sign-in of the client again; it needs PKCE (S256) and a redirect to this machine',
  },
  requestToken: {
    code: 'WB-1075',
    check: 'oidc.requestToken',
    side: 'input',
    class: 'auth',
    summary: 'A job asked for an identity token with a request token that does not count here.',
    hint: 'take ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN from waybill stack workflow of this stack',
    status: 401,
  },
});
