/**
 * A program that holds a key, as docs/keys.md says it, and the ways it may fail: `fake-signer.ts KEY.pem MODE [FLAG]`.
 * The key is called `k`; where KEY.pem is a folder, the key NAME is in NAME.pem.
 * FLAG is a file whose presence says that the fault has happened; a fault happens once. FAKE_SIGNER_PIDS names a file
 * that gets its process id.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signWhole,
} from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { p256 } from '@noble/curves/nist.js';

const [file = '', mode = '', flag = ''] = process.argv.slice(2);
const other = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

const pids = process.env['FAKE_SIGNER_PIDS'];
if (pids !== undefined) appendFileSync(pids, `${process.pid}\n`);
const isFirst = flag === '' || !existsSync(flag);
if (mode === 'slow-start') await new Promise((resolve) => setTimeout(resolve, 700));
const isFolder = statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
const onlyKey = isFolder
  ? undefined
  : mode === 'other-key-later' && !isFirst
    ? other()
    : createPrivateKey(readFileSync(file));

function keyOf(name: string): KeyObject | undefined {
  if (!isFolder) return name === 'k' ? onlyKey : undefined;
  const path = join(file, `${name}.pem`);
  return existsSync(path) ? createPrivateKey(readFileSync(path)) : undefined;
}

interface Question {
  readonly id: number;
  readonly method: string;
  readonly key: string;
  readonly digest: string;
  /** In the place of a digest, for Ed25519. */
  readonly message?: string;
}

const say = (answer: object): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);

function sign(digest: string, by: KeyObject): string {
  const d = Buffer.from(String(by.export({ format: 'jwk' }).d), 'base64url');
  const signature = p256.sign(Buffer.from(digest, 'base64'), d, {
    prehash: false,
    format: 'der',
    lowS: false,
  });
  return Buffer.from(signature).toString('base64');
}

function publicKey(key: KeyObject): string {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('base64');
}

/** What it does instead of signing. */
const faults: Readonly<Record<string, (question: Question) => void>> = {
  'wrong-signature': ({ id, digest }) => say({ id, signature: sign(digest, other()) }),
  'no-base64': ({ id }) => say({ id, signature: 'not base64!' }),
  refuses: ({ id }) => say({ id, error: `slot 3 is locked, PIN tried: 1234 ${'x'.repeat(10_000)}` }),
  hangs: () => {},
  dies: () => process.exit(3),
  'other-key-later': () => process.exit(3),
  'no-json': () => void process.stdout.write('Segmentation fault\n'),
  'foreign-id': () => say({ id: 999_999, signature: '' }),
  'endless-line': () => {
    process.stdout.on('error', () => {});
    const more = (): void => void process.stdout.write('x'.repeat(16 * 1024), () => setImmediate(more));
    more();
  },
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const question = JSON.parse(line) as Question;
  const { id, method } = question;
  const key = keyOf(question.key);
  if (key === undefined) return say({ id, error: `no key ${question.key}` });
  if (method === 'publicKey') return say({ id, publicKey: publicKey(key) });
  const fault = faults[mode];
  if (fault === undefined || (flag !== '' && existsSync(flag))) {
    const { digest, message } = question;
    if (message === undefined) return say({ id, signature: sign(digest, key) });
    const signature = signWhole(null, Buffer.from(message, 'base64'), key);
    return say({ id, signature: signature.toString('base64') });
  }
  if (flag !== '') writeFileSync(flag, '');
  return fault(question);
});
