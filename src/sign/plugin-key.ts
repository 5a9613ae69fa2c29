/**
 * Keys behind a program: the key plugins of the Sigstore clients (sigstore/sigstore, pkg/signature/kms/cliplugin,
 * protocol v1). `NAME://REFERENCE` runs `sigstore-kms-NAME v1 JSON` once a question; the answer is one JSON object
 * on standard output, messages for people go to standard error. Secrets never travel in arguments.
 */
import { fromBase64, toBase64, utf8, utf8Text } from '#base/bytes';
import { defaultHash, type HashName, type PublicKey, publicKeyFromPem } from '#base/crypto';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { type JsonObject, type JsonReader, parseJson, reader } from '#formats/json';
import { run } from '#platform/process';
import { verifyHashSignature } from '#verify';
import type { ContentKey } from './content-key.ts';
import { R } from './reasons.ts';

const PROTOCOL = 'v1';
const TIMEOUT_MS = 60_000;
const ANSWER_BYTES_MAX = 64 * 1024;

/** Numbers of Go's crypto.Hash, which the protocol uses. */
const goHash: Readonly<Record<HashName, number>> = { sha256: 5, sha384: 6, sha512: 7 };

/** Whether a key is named as a plugin and its reference. Cloud names without a plugin are plugins too. */
export const isPluginKey = (text: string): boolean => /^[a-z0-9][a-z0-9_-]*:\/\/./.test(text);

export interface PluginDeps {
  /** Of the plugin: its credentials come from here. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Throws WB-821 when there is no such program or it refuses, WB-822 when it answers something else. */
export async function pluginKey(text: string, deps: PluginDeps): Promise<ContentKey> {
  const ask = questioner(text, deps);
  const answer = await ask('sha256', 'publicKey', { publicKeyOptions: { rpcOptions: {} } });
  const pem = utf8Text(fromBase64(answer.text('publicKeyPEM')));
  const publicKey = unwrap(publicKeyFromPem(pem));
  const algorithm = defaultHash(publicKey.kind);
  return {
    publicKey,
    sign: async (content, { pure = false } = {}) => {
      if (pure && publicKey.kind === 'ed25519') {
        throw fail(R.keyKind, { expected: 'a plugin key that signs digests', actual: 'pure Ed25519' });
      }
      const digest = content.digest(algorithm);
      const messageOptions = { digest: toBase64(digest), hashFunc: goHash[algorithm] };
      const signOptions = { rpcOptions: {}, messageOptions };
      const said = await ask(algorithm, 'signMessage', { signOptions }, content.bytes);
      const signature = said.bytes('signature');
      // A device that signs with another key, or another hash, is found here and not by the reader.
      if (verifyHashSignature(publicKey, algorithm, digest, signature)) return signature;
      throw fail(R.plugin, { expected: `a signature by the public key of ${text}`, actual: 'another' });
    },
  };
}

/** Makes a key behind a plugin; the algorithm is the plugin's default unless named in its own words. */
export async function createPluginKey(
  text: string,
  deps: PluginDeps,
  algorithm?: string,
): Promise<PublicKey> {
  const ask = questioner(text, deps);
  const wanted = algorithm ?? (await ask('sha256', 'defaultAlgorithm', {})).text('defaultAlgorithm');
  const answer = await ask('sha256', 'createKey', { algorithm: wanted });
  return unwrap(publicKeyFromPem(utf8Text(fromBase64(answer.text('publicKeyPEM')))));
}

type Question = (
  hash: HashName,
  methodName: string,
  args: JsonObject,
  input?: Uint8Array,
) => Promise<JsonReader>;

function questioner(text: string, { env }: PluginDeps): Question {
  const program = `sigstore-kms-${text.slice(0, text.indexOf('://'))}`;
  const keyResourceID = text.slice(text.indexOf('://') + 3);
  return async (hash, methodName, args, input = new Uint8Array()) => {
    const initOptions = { protocolVersion: PROTOCOL, keyResourceID, hashFunc: goHash[hash], rpcOptions: {} };
    const question = JSON.stringify({ initOptions, methodName, [methodName]: args });
    const done = await run(program, [PROTOCOL, question], { env, input, timeoutMs: TIMEOUT_MS });
    if (done.code === -1) {
      const actual = done.timedOut ? `no answer within ${TIMEOUT_MS / 1000} s` : done.stderr.trim();
      throw fail(R.pluginRefused, { expected: `an answer of the program ${program}`, actual });
    }
    const read = attempt(() =>
      reader(unwrap(parseJson(utf8(done.stdout), { maxBytes: ANSWER_BYTES_MAX })), program, { as: R.plugin }),
    );
    if (!read.ok) {
      const actual = `exit code ${done.code}: ${(done.stderr || done.stdout).trim().slice(0, 300)}`;
      throw fail(R.plugin, { expected: `a JSON answer of ${program} to ${methodName}`, actual });
    }
    const message = read.value.optionalString('errorMessage') ?? '';
    if (message === '') return read.value.child(methodName);
    throw fail(R.pluginRefused, { expected: `${program} to do ${methodName}`, actual: message });
  };
}
