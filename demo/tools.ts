/** How the demo talks to waybill: child processes of bin/waybill and HTTP requests. Nothing of src is imported. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join, resolve } from 'node:path';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A refusal as `--json` prints it. */
export interface Reason {
  readonly code: string;
  readonly check: string;
  readonly expected: string;
  readonly actual: string;
}

/** Largest resident set of any waybill process of this run, in bytes; 0 where it cannot be read. */
export const peak = { command: 0, stack: 0, webhook: 0 };

/** `WAYBILL_BIN` names another launcher; the demo's own test uses it to put a broken verifier in place. */
const binary = resolve(process.env['WAYBILL_BIN'] ?? 'bin/waybill');

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

function start(
  args: readonly string[],
  options: RunOptions,
  errorsTo: 'pipe' | number = 'pipe',
): ChildProcess {
  return spawn(binary, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', errorsTo],
  });
}

/** Runs one command to its end. */
export function waybill(args: readonly string[], options: RunOptions): Promise<Outcome> {
  return new Promise((done) => {
    const child = start(args, options);
    const out: Buffer[] = [];
    const errors: Buffer[] = [];
    const watch = setInterval(() => watchPeak(child.pid, 'command'), 25);
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk));
    const end = (code: number, extra = ''): void => {
      clearInterval(watch);
      done({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(errors).toString() + extra });
    };
    child.on('error', (error) => end(-1, error.message));
    child.on('close', (code) => end(code ?? -1));
  });
}

function watchPeak(pid: number | undefined, kind: keyof typeof peak): void {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kilobytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    peak[kind] = Math.max(peak[kind], kilobytes * 1024);
  } catch {
    // The process is gone, or this system has no /proc.
  }
}

/** A command line for people: without the tokens in it. */
const shown = (args: readonly string[]): string =>
  args.map((word, at) => (args[at - 1] === '--identity-token' ? '[secret]' : word)).join(' ');

/** Runs a command with --json that must pass; returns its result. */
export async function passes<T>(args: readonly string[], options: RunOptions): Promise<T> {
  const outcome = await waybill([...args, '--json', '--quiet'], options);
  if (outcome.code !== 0) {
    throw new Error(`waybill ${shown(args)}: exit ${outcome.code}\n${outcome.stderr || outcome.stdout}`);
  }
  return JSON.parse(outcome.stdout) as T;
}

/** Runs a command with --json that must be refused with this exit code and code; returns the reason. */
export async function isRefused(
  args: readonly string[],
  expected: { readonly exit: number; readonly code: string },
  options: RunOptions,
): Promise<Reason> {
  const outcome = await waybill([...args, '--json', '--quiet'], options);
  const reason = reasonOf(outcome.stdout);
  const seen = `exit ${outcome.code}, ${reason?.code ?? 'no reason'}`;
  if (outcome.code !== expected.exit || reason?.code !== expected.code) {
    throw new Error(`expected exit ${expected.exit}, ${expected.code}; got ${seen}\n${outcome.stderr}`);
  }
  return reason;
}

interface Failure {
  readonly reason?: Reason;
  readonly images?: readonly { readonly reason?: Reason }[];
}

function reasonOf(stdout: string): Reason | undefined {
  try {
    const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Failure;
    return result.reason ?? result.images?.find((image) => image.reason !== undefined)?.reason;
  } catch {
    return undefined;
  }
}

export const reasonText = (reason: Reason): string =>
  `${reason.code} ${reason.check}: expected ${reason.expected}, got ${reason.actual}`;

/** A server of waybill that runs until it is told to stop. */
export interface Server {
  /** Its first line of JSON. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a server and waits for its first line of JSON. */
export function serve(
  args: readonly string[],
  kind: 'stack' | 'webhook',
  options: RunOptions,
): Promise<Server> {
  return new Promise((done, failed) => {
    // Its log goes to a file: a server that outlives the demo must not write into a closed pipe.
    const logFile = join(options.cwd, `${kind}.log`);
    const logTo = openSync(logFile, 'a');
    const child = start([...args, '--json'], options, logTo);
    closeSync(logTo);
    const watch = setInterval(() => watchPeak(child.pid, kind), 100);
    watch.unref();
    let out = '';
    let isReady = false;
    const ended = new Promise<void>((resolved) => child.on('close', () => resolved()));
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      const end = out.indexOf('\n');
      if (isReady || end < 0) return;
      isReady = true;
      const ready = JSON.parse(out.slice(0, end)) as Record<string, unknown>;
      if (ready['ok'] === false) return;
      done({
        ready,
        pid: child.pid ?? 0,
        stop: async () => {
          watchPeak(child.pid, kind);
          clearInterval(watch);
          child.kill('SIGTERM');
          await ended;
        },
      });
    });
    child.on('close', (code) => {
      clearInterval(watch);
      failed(
        new Error(
          `waybill ${args.join(' ')} ended with ${code}\n${out}${readFileSync(logFile, 'utf8').slice(-4000)}`,
        ),
      );
    });
  });
}

/** POSTs JSON over HTTPS to a server whose authority is `ca`. */
export function postJson(url: string, body: object, ca: string): Promise<Record<string, unknown>> {
  return new Promise((done, failed) => {
    const text = JSON.stringify(body);
    const call = request(
      url,
      {
        method: 'POST',
        ca,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          try {
            done(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>);
          } catch (error) {
            failed(error as Error);
          }
        });
      },
    );
    call.on('error', failed);
    call.end(text);
  });
}

/** An identity token of the stack's development issuer. */
export async function token(oidc: string, wanted: object): Promise<string> {
  const response = await fetch(`${oidc}/token`, { method: 'POST', body: JSON.stringify(wanted) });
  const body = (await response.json()) as { id_token?: string; message?: string };
  if (body.id_token === undefined) throw new Error(`no token: ${body.message}`);
  return body.id_token;
}

/** Throws unless it holds. */
export function must(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
