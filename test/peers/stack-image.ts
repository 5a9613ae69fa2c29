/** A small image pushed with plain HTTP, and children with a time limit: what the tests of real peers share. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { utf8 } from '#base/bytes';
import { digestOf } from '#base/digest';

const layerType = 'application/vnd.oci.image.layer.v1.tar';
const configType = 'application/vnd.oci.image.config.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** Pushes an image of one empty layer, unlike any other; returns `host/name@digest`. */
export async function pushImage(host: string, name: string, note: string): Promise<string> {
  const layer = new Uint8Array(1024);
  const config = utf8(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Labels: { note } },
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    }),
  );
  for (const blob of [layer, config]) await pushBlob(host, name, blob);
  const manifest = utf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: configType, digest: digestOf(config), size: config.length },
      layers: [{ mediaType: layerType, digest: digestOf(layer), size: layer.length }],
    }),
  );
  const answer = await fetch(`http://${host}/v2/${name}/manifests/latest`, {
    method: 'PUT',
    headers: { 'content-type': manifestType },
    body: Buffer.from(manifest),
  });
  if (answer.status !== 201) throw new Error(`push: ${answer.status} ${await answer.text()}`);
  return `${host}/${name}@${digestOf(manifest)}`;
}

async function pushBlob(host: string, name: string, bytes: Uint8Array): Promise<void> {
  const url = `http://${host}/v2/${name}/blobs/uploads/?digest=${digestOf(bytes)}`;
  const headers = { 'content-type': 'application/octet-stream' };
  const answer = await fetch(url, { method: 'POST', headers, body: Buffer.from(bytes) });
  if (answer.status !== 201) throw new Error(`blob: ${answer.status} ${await answer.text()}`);
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; more than a minute is a failure. */
export function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/** What ran ended well; else its words are the failure. */
export async function passes(run: Promise<Ran>): Promise<Ran> {
  const ran = await run;
  assert.equal(ran.code, 0, ran.stderr);
  return ran;
}
