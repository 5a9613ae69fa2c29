/**
 * A program for `waybill serve ca|ct|log|tsa|tuf --signer`: keys of a PKCS#11 token, by OpenSC's pkcs11-tool.
 *
 *     PKCS11_PIN=… waybill serve ca … --signer node --signer-arg examples/pkcs11-signer.ts \
 *       --signer-arg /usr/lib/softhsm/libsofthsm2.so --signer-arg waybill --signer-key intermediate=01
 *
 * Arguments: the PKCS#11 module, then the label of the token. A key is named by its id in hex: asked to sign by label,
 * pkcs11-tool 0.23 takes the first key of the token. The PIN comes from the environment and goes to
 * pkcs11-tool through its own; it is in no argument. One question at a time: about 30 signatures a second, as every one
 * logs in anew. The protocol is in docs/keys.md; this file depends on nothing but Node.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const [module = '', token = ''] = process.argv.slice(2);
if (module === '' || token === '' || process.env['PKCS11_PIN'] === undefined) {
  console.error('usage: PKCS11_PIN=… pkcs11-signer.ts MODULE TOKEN-LABEL');
  process.exit(64);
}

interface Question {
  readonly id: number;
  readonly method: string;
  readonly key: string;
  readonly digest?: string;
  readonly message?: string;
}

const TIMEOUT_MS = 8000;

/** Runs pkcs11-tool; what it writes is the answer, what it complains of is the error. */
function tool(args: readonly string[], input: Buffer = Buffer.alloc(0)): Promise<Buffer> {
  const child = spawn('pkcs11-tool', [`--module=${module}`, `--token-label=${token}`, ...args], {
    timeout: TIMEOUT_MS,
  });
  const out: Buffer[] = [];
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-500);
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out));
      else reject(new Error(`pkcs11-tool ended with ${code}: ${complaint.trim()}`));
    });
  });
}

async function answer({ method, key, digest, message }: Question): Promise<object> {
  if (!/^([0-9a-f]{2}){1,32}$/.test(key)) throw new Error('a key is named by its id in hex');
  const id = `--id=${key}`;
  if (method === 'publicKey') {
    return { publicKey: spkiOf(await tool(['--read-object', '--type=pubkey', id])).toString('base64') };
  }
  const text = digest ?? message;
  if (method !== 'sign' || text === undefined) throw new Error(`no method ${method}`);
  const login = ['--login', '--pin=env:PKCS11_PIN', '--sign', id];
  const input = Buffer.from(text, 'base64');
  // Ed25519 signs the message itself, and its signature has one form.
  if (digest === undefined) {
    return { signature: (await tool([...login, '--mechanism=EDDSA'], input)).toString('base64') };
  }
  const raw = await tool([...login, '--mechanism=ECDSA', '--signature-format=rs'], input);
  return { signature: derOf(raw).toString('base64') };
}

/** An Ed25519 key comes as PEM, others as DER. */
function spkiOf(read: Buffer): Buffer {
  const pem = /^-----BEGIN PUBLIC KEY-----([^-]+)-----END/.exec(read.toString('latin1'));
  return pem === null ? read : Buffer.from(pem[1] ?? '', 'base64');
}

/** A token gives r and s side by side; a certificate wants SEQUENCE { INTEGER r, INTEGER s }. */
function derOf(raw: Buffer): Buffer {
  if (raw.length === 0 || raw.length % 2 !== 0 || raw.length > 96) throw new Error('no ECDSA signature');
  const half = raw.length / 2;
  const body = Buffer.concat([integer(raw.subarray(0, half)), integer(raw.subarray(half))]);
  return Buffer.concat([Buffer.of(0x30, body.length), body]);
}

function integer(magnitude: Buffer): Buffer {
  const start = magnitude.findIndex((byte) => byte !== 0);
  const digits = start === -1 ? Buffer.of(0) : magnitude.subarray(start);
  const sign = (digits[0] as number) >= 0x80 ? Buffer.of(0) : Buffer.alloc(0);
  return Buffer.concat([Buffer.of(2, sign.length + digits.length), sign, digits]);
}

// One after the other: a token has few sessions. The end of the input is the end of the program.
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line) as Question;
  const said = await answer(question).catch((error: Error) => ({ error: error.message }));
  process.stdout.write(`${JSON.stringify({ id: question.id, ...said })}\n`);
}
