/**
 * From a verified token to what its certificate says: one subject alternative name, the Sigstore extensions, and
 * the name a proof of possession signs. Every value comes from outside and is checked before it is used.
 */
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { applyRule, type CiProvider, type ClaimValue } from '#formats/ci-template';
import { isJsonObject, type JsonObject, type JsonValue, own } from '#formats/json';
import type { FulcioClaims, San } from '#formats/x509';
import type { IssuerConfig, IssuerTable } from './config.ts';
import { R } from './reasons.ts';

export interface Principal {
  /** What a proof of possession signs, as UTF-8. */
  readonly challenge: string;
  readonly san: San;
  readonly claims: FulcioClaims;
}

/** Throws WB-1006 or WB-1007. */
export function principalOf(issuer: IssuerConfig, table: IssuerTable, token: JsonObject): Principal {
  const principal = nameOf(issuer, table, token);
  // The subject as it stands, whatever the name was made of; a token may have none where nothing else asks for it.
  if ((own(token, 'sub') ?? '') === '') return principal;
  return { ...principal, claims: { ...principal.claims, tokenSubject: claimText(token, 'sub') } };
}

function nameOf(issuer: IssuerConfig, table: IssuerTable, token: JsonObject): Principal {
  const iss = claimText(token, 'iss');
  const challenge = claimText(token, issuer.challengeClaim ?? (issuer.type === 'email' ? 'email' : 'sub'));
  switch (issuer.type) {
    case 'email':
      return {
        challenge,
        san: emailSan(issuer, token),
        claims: { issuer: upstreamIssuer(issuer, token, iss) },
      };
    case 'kubernetes':
      return { challenge, san: uriSan(serviceAccountUri(token)), claims: { issuer: iss } };
    case 'spiffe':
      return { challenge, san: spiffeSan(issuer, claimText(token, 'sub')), claims: { issuer: iss } };
    case 'uri':
      return { challenge, san: subjectUriSan(issuer, claimText(token, 'sub')), claims: { issuer: iss } };
    case 'chainguard-identity':
      return chainguardPrincipal(token, iss);
    case 'username':
      return { challenge, san: userNameSan(issuer, claimText(token, 'sub')), claims: { issuer: iss } };
    default: {
      const name = issuer.type === 'ci-provider' ? (issuer.ciProvider ?? '') : issuer.type;
      const provider = table.provider(name);
      if (provider === undefined) {
        throw fail(R.claims, { expected: 'a configured ci-provider', actual: name });
      }
      return { challenge, ...ciPrincipal(provider, token, iss) };
    }
  }
}

const refuse = (expected: string, actual: JsonValue | undefined): Error =>
  fail(R.claims, { expected, actual: actual === undefined ? 'none' : JSON.stringify(actual) });

/** A claim as text without control characters; throws WB-1007 when it is missing or something else. */
function claimText(token: JsonObject, name: string): string {
  const value = own(token, name);
  if (typeof value !== 'string' || value === '') throw refuse(`claim ${name} as text`, value);
  return checkedText(name, value);
}

function checkedText(name: string, value: string): string {
  if (value.length > limits.identityChars || /[\x00-\x1f\x7f\u0085\u2028\u2029]/.test(value)) {
    throw refuse(`claim ${name} of at most ${limits.identityChars} characters, none of control`, value);
  }
  return value;
}

// The address form of HTML's e-mail field; %-escapes, which some mailers undo, are left out.
const emailForm =
  /^[A-Za-z0-9.!#$&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

function emailSan(issuer: IssuerConfig, token: JsonObject): San {
  const email = claimText(token, 'email');
  if (email.length > 254 || !emailForm.test(email)) {
    throw fail(R.email, { expected: 'an e-mail address', actual: JSON.stringify(email) });
  }
  // Some providers write the boolean as text; anything but a clear yes is a no.
  const verified = own(token, 'email_verified');
  if (issuer.skipEmailVerification !== true && verified !== true && verified !== 'true') {
    throw fail(R.email, {
      expected: `email_verified true for ${email}`,
      actual: JSON.stringify(verified ?? null),
    });
  }
  return { type: 'email', value: email };
}

/** For a federation such as Dex: the provider behind it. */
function upstreamIssuer(issuer: IssuerConfig, token: JsonObject, iss: string): string {
  if (issuer.issuerClaim === undefined) return iss;
  let value: JsonValue | undefined = token;
  for (const part of issuer.issuerClaim.replace(/^\$\./, '').split('.')) {
    value = isJsonObject(value) ? own(value, part) : undefined;
  }
  if (typeof value !== 'string' || value === '') throw refuse(`claim ${issuer.issuerClaim} as text`, value);
  return checkedText(issuer.issuerClaim, value);
}

/** A URI with a scheme and a host and without user info; characters a URI cannot hold are percent-encoded. */
function uriSan(text: string): San {
  const value = text.replace(/[^\x21-\x7e]|["<>\\^`{|}]/gu, (char) =>
    encodeURIComponent(char.toWellFormed()),
  );
  const url = URL.parse(value);
  const isSound = url !== null && url.username === '' && url.password === '' && url.host !== '';
  if (!isSound || value.length > limits.identityChars)
    throw refuse('a URI with a host, without user info', text);
  return { type: 'uri', value };
}

const labelForm = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

function serviceAccountUri(token: JsonObject): string {
  const cluster = own(token, 'kubernetes.io');
  const account = isJsonObject(cluster) ? own(cluster, 'serviceaccount') : undefined;
  const namespace = isJsonObject(cluster) ? own(cluster, 'namespace') : undefined;
  const name = isJsonObject(account) ? own(account, 'name') : undefined;
  const isNamed = [namespace, name].every((part) => typeof part === 'string' && labelForm.test(part));
  if (!isNamed) throw refuse('claim kubernetes.io with namespace and serviceaccount.name', cluster);
  return `https://kubernetes.io/namespaces/${String(namespace)}/serviceaccounts/${String(name)}`;
}

function spiffeSan(issuer: IssuerConfig, subject: string): San {
  // SPIFFE-ID §2: no user info, port, query or fragment; path segments of a small alphabet.
  const match = /^spiffe:\/\/([a-z0-9._-]+)((?:\/[A-Za-z0-9._-]+)*)$/.exec(subject);
  const segments = match?.[2]?.split('/') ?? [];
  if (
    match === null ||
    match[1] !== issuer.spiffeTrustDomain ||
    segments.some((s) => s === '.' || s === '..')
  ) {
    throw refuse(`a SPIFFE ID in trust domain ${issuer.spiffeTrustDomain}`, subject);
  }
  return { type: 'uri', value: subject };
}

function subjectUriSan(issuer: IssuerConfig, subject: string): San {
  const domain = URL.parse(issuer.subjectDomain ?? '');
  const url = URL.parse(subject);
  const isOurs =
    url !== null && domain !== null && url.protocol === domain.protocol && url.host === domain.host;
  if (!isOurs) throw refuse(`a subject below ${issuer.subjectDomain}`, subject);
  return uriSan(subject);
}

/** Clients sign the e-mail address where the token has a verified one; the name is issuer and subject in any case. */
function chainguardPrincipal(token: JsonObject, iss: string): Principal {
  const subject = claimText(token, 'sub');
  const email = own(token, 'email');
  const isEmail = typeof email === 'string' && email !== '' && own(token, 'email_verified') === true;
  return {
    challenge: isEmail ? claimText(token, 'email') : subject,
    san: uriSan(`${iss.replace(/\/+$/, '')}/${subject}`),
    claims: { issuer: iss },
  };
}

function userNameSan(issuer: IssuerConfig, subject: string): San {
  // `!` separates name and domain, and a name that looks like an address would be taken for one.
  if (/[!@]/.test(subject)) throw refuse('a user name without ! and @', subject);
  return { type: 'otherName', value: `${subject}!${issuer.subjectDomain}` };
}

function ciPrincipal(
  provider: CiProvider,
  token: JsonObject,
  iss: string,
): Pick<Principal, 'san' | 'claims'> {
  const claimValue: ClaimValue = (name, isOptional) => {
    const value = own(token, name) ?? provider.defaults.get(name);
    // Some identifiers are numbers, some flags booleans.
    if (typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value))) {
      return String(value);
    }
    if (value === undefined && isOptional) return '';
    if (typeof value !== 'string') throw refuse(`claim ${name} as text`, value);
    return checkedText(name, value);
  };
  const claims: Record<string, string> = { issuer: iss };
  for (const [claim, rule] of provider.extensions)
    claims[claim] = checkedText(claim, applyRule(rule, claimValue));
  // A name with a gap in it could be somebody else's: there every claim must be.
  const required: ClaimValue = (name) => {
    const value = claimValue(name, false);
    if (value === '') throw refuse(`claim ${name}, which is part of the name`, value);
    return value;
  };
  return { san: uriSan(applyRule(provider.san, required)), claims };
}
