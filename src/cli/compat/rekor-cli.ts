/**
 * `waybill rekor-cli search|get`: questions to a log with Rekor's v1 API, in rekor-cli's words. The log's key comes
 * from the trusted root, never from the log; `get` shows nothing that it cannot prove. Exit 0 or 1.
 */
import type { Command } from 'commander';
import { fail, type Reason, WaybillError } from '#base/reason';
import type { JsonObject, JsonValue } from '#formats/json';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { plainLine } from '../render/plain.ts';
import { loadTrustFor } from '../trust-options.ts';
import { refuseBy, unsupported } from './native.ts';

interface Flags {
  readonly rekor_server?: string;
  readonly format: string;
}

export function register(program: Command, context: CliContext): void {
  const tool = program.command('rekor-cli').description('rekor-cli’s command line: search, get');
  refuseBy(tool, 'rekor-cli');
  const searching = withLog(tool.command('search').description('entries about an artifact'))
    .option('--sha <hex>', 'SHA-256 of the artifact, with or without sha256:')
    .option('--artifact <file>', 'the artifact: its SHA-256 is searched')
    .option('--email <address>', 'identity in the certificate');
  refuseBy(searching, 'rekor-cli search').action((flags: SearchFlags) =>
    telling(context, () => search(flags, context)),
  );
  const getting = withLog(tool.command('get').description('one entry, proven'))
    .option('--uuid <hex>', 'leaf hash, or entry id with the tree id before it')
    .option('--log-index <number>', 'index in the log');
  refuseBy(getting, 'rekor-cli get').action((flags: GetFlags) => telling(context, () => get(flags, context)));
}

const withLog = (command: Command): Command =>
  command
    .option('--rekor_server <url>', 'log (default: REKOR_REKOR_SERVER, else the log of the stack)')
    .option('--format <name>', 'default, json; get also tle', 'default');

/** Every failure is one line and exit 1. */
async function telling(context: CliContext, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    context.stderr(`Error: ${plainLine(errorText(error.reason))}`);
    context.exit(1);
  }
}

const errorText = (why: Reason): string =>
  why.code === R.noEntry.code
    ? `no matching entries found (${why.actual})`
    : `${why.check} (${why.code}): expected ${why.expected}, got ${why.actual}; ${why.hint}`;

async function serverOf({ rekor_server: given }: Flags, context: CliContext): Promise<string> {
  const named = given ?? context.env['REKOR_REKOR_SERVER'];
  if (named !== undefined) return named.replace(/\/+$/, '');
  const folder = context.env['WAYBILL_STACK'];
  if (folder === undefined) throw unsupported('rekor-cli', 'no log', '--rekor_server URL, or WAYBILL_STACK');
  const { requireState } = await import('#stack');
  return (await requireState(folder)).origins.log;
}

interface SearchFlags extends Flags {
  readonly sha?: string;
  readonly artifact?: string;
  readonly email?: string;
}

async function search(flags: SearchFlags, context: CliContext): Promise<void> {
  const [{ parseJson }, { unwrap }, { utf8 }] = await Promise.all([
    import('#formats/json'),
    import('#base/result'),
    import('#base/bytes'),
  ]);
  formatOf(flags, ['default', 'json']);
  const server = await serverOf(flags, context);
  const query = await queryOf(flags);
  const answer = await context.transport.request({
    url: `${server}/api/v1/index/retrieve`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: utf8(JSON.stringify(query)),
  });
  const body = unwrap(parseJson(answer.body));
  if (answer.status !== 200 || !Array.isArray(body)) throw refusedBy(server, answer.status);
  const uuids = body.map(String);
  if (uuids.length === 0) {
    throw fail(R.noEntry, { expected: 'an entry', actual: `${JSON.stringify(query)} at ${server}` });
  }
  if (flags.format === 'json') return context.stdout(JSON.stringify({ UUIDs: uuids }));
  context.stderr('Found matching entries (listed by UUID):');
  context.stdout(uuids.join('\n'));
}

const refusedBy = (server: string, status: number): WaybillError =>
  fail(R.logAnswer, { expected: `an answer of ${server}`, actual: `status ${status}` });

async function queryOf({ sha, artifact, email }: SearchFlags): Promise<{ hash?: string; email?: string }> {
  const by = email === undefined ? {} : { email };
  if (sha !== undefined) {
    const hex = sha.replace(/^sha256:/, '').toLowerCase();
    if (/^[0-9a-f]{64}$/.test(hex)) return { hash: `sha256:${hex}`, ...by };
    throw unsupported('rekor-cli search', `--sha ${sha}`, '--sha of 64 hex digits');
  }
  if (artifact === undefined) {
    if (email !== undefined) return by;
    throw unsupported('rekor-cli search', 'none of them', '--sha, --artifact or --email');
  }
  const [{ readInput }, { limits }, { sha256 }, { toHex }] = await Promise.all([
    import('../input.ts'),
    import('#base/limits'),
    import('#base/crypto'),
    import('#base/bytes'),
  ]);
  return { hash: `sha256:${toHex(sha256(await readInput(artifact, limits.sbomBytes)))}`, ...by };
}

interface GetFlags extends Flags {
  readonly uuid?: string;
  readonly logIndex?: string;
}

async function get(flags: GetFlags, context: CliContext): Promise<void> {
  formatOf(flags, ['default', 'json', 'tle']);
  const server = await serverOf(flags, context);
  const { id, entry } = await fetchEntry(server, flags, context);
  await requireProven(entry, server, context);
  if (flags.format === 'tle') {
    const { tlogEntryJson } = await import('#formats/tlog-entry');
    return context.stdout(JSON.stringify(tlogEntryJson(entry)));
  }
  const { toHex } = await import('#base/bytes');
  const shown = {
    Attestation: '',
    AttestationType: '',
    Body: await bodyOf(entry),
    LogIndex: entry.logIndex,
    IntegratedTime: entry.integratedTime,
    UUID: id,
    LogID: toHex(entry.logId),
  };
  context.stdout(flags.format === 'json' ? JSON.stringify(shown) : entryText(shown));
}

async function fetchEntry(
  server: string,
  { uuid, logIndex }: GetFlags,
  context: CliContext,
): Promise<{ readonly id: string; readonly entry: TransparencyLogEntry }> {
  const [{ isJsonObject, parseJson }, { parseLogEntryV1 }, { unwrap }] = await Promise.all([
    import('#formats/json'),
    import('#formats/rekor'),
    import('#base/result'),
  ]);
  if ((uuid === undefined) === (logIndex === undefined)) {
    throw unsupported('rekor-cli get', 'none or both', 'one of --uuid and --log-index');
  }
  const path =
    uuid === undefined ? `?logIndex=${encodeURIComponent(logIndex ?? '')}` : `/${encodeURIComponent(uuid)}`;
  const answer = await context.transport.request({ url: `${server}/api/v1/log/entries${path}` });
  if (answer.status === 404)
    throw fail(R.noEntry, { expected: 'an entry', actual: uuid ?? `index ${logIndex}` });
  const body = unwrap(parseJson(answer.body));
  const [found] = isJsonObject(body) ? Object.entries(body) : [];
  if (answer.status !== 200 || found === undefined) throw refusedBy(server, answer.status);
  const entry = unwrap(parseLogEntryV1(found[1]));
  await requireAsked(found[0], entry, { uuid, logIndex });
  return { id: found[0], entry };
}

/** The log must not answer with another entry than the one that was asked for. */
async function requireAsked(
  id: string,
  entry: TransparencyLogEntry,
  asked: { readonly uuid: string | undefined; readonly logIndex: string | undefined },
): Promise<void> {
  const [{ leafHash }, { toHex }] = await Promise.all([import('#formats/merkle'), import('#base/bytes')]);
  const leaf = toHex(leafHash(entry.canonicalizedBody));
  const wanted = asked.uuid?.slice(-64).toLowerCase() ?? leaf;
  const isAsked = asked.logIndex === undefined || String(entry.logIndex) === asked.logIndex;
  if (id.endsWith(leaf) && wanted === leaf && isAsked) return;
  throw fail(R.logAnswer, { expected: `entry ${asked.uuid ?? asked.logIndex}`, actual: `entry ${leaf}` });
}

async function requireProven(
  entry: TransparencyLogEntry,
  server: string,
  context: CliContext,
): Promise<void> {
  const [{ trustMaterial, verifyLogEntry }, trust] = await Promise.all([
    import('#verify'),
    loadTrustFor({}, context),
  ]);
  const logged = verifyLogEntry(entry, trustMaterial(trust.trustedRoot));
  if (logged?.ok === true) return;
  const actual = logged === undefined ? `${server} is no log of ${trust.origin}` : logged.error.actual;
  throw fail(R.logAnswer, { expected: 'an entry proven to be in a trusted log', actual });
}

const wrappers: Readonly<Record<string, string>> = {
  hashedrekord: 'HashedRekordObj',
  dsse: 'DSSEObj',
  intoto: 'IntotoObj',
  rekord: 'RekordObj',
};

/** The entry under the name of rekor-cli's Go type, so that `jq .Body` finds what scripts look for. */
async function bodyOf(entry: TransparencyLogEntry): Promise<JsonObject> {
  const [{ parseJson, reader }, { unwrap }] = await Promise.all([
    import('#formats/json'),
    import('#base/result'),
  ]);
  const body = reader(unwrap(parseJson(entry.canonicalizedBody)), 'body');
  const kind = body.text('kind');
  return { [wrappers[kind] ?? kind]: body.value('spec') as JsonValue };
}

function entryText(shown: Readonly<Record<string, JsonValue>>): string {
  return [
    `LogID: ${shown['LogID']}`,
    `Index: ${shown['LogIndex']}`,
    `IntegratedTime: ${new Date(Number(shown['IntegratedTime']) * 1000).toISOString().replace('.000Z', 'Z')}`,
    `UUID: ${shown['UUID']}`,
    `Body: ${JSON.stringify(shown['Body'], undefined, 2)}`,
  ].join('\n');
}

function formatOf({ format }: Flags, known: readonly string[]): void {
  if (!known.includes(format))
    throw unsupported('rekor-cli', `--format ${format}`, `--format ${known.join(', ')}`);
}
