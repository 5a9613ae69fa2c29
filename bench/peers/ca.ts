/**
 * Our certificate authority with every certificate promised by our own durable CT log, against Fulcio without any
 * log: the same requests of the same clients with tokens of one issuer both believe, in turns, each answer counted
 * only with status 200 and some of each round verified. Gate: 0.6 of Fulcio's rate (aim 1). `npm run bench:peers -- ca`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publicKeyFromSpki } from '#base/crypto';
import { unwrap } from '#base/result';
import { freePort, Processes } from '../../test/peers/real-services.ts';
import { type CertificateAsk, certificateAsks, checkCertificate, ctKeyOf } from '../lib/authority-load.ts';
import { startServer } from '../lib/log-load.ts';
import { inRounds, line, rateRatio } from '../lib/post-load.ts';
import { processorMs } from '../lib/processes.ts';
import { report } from '../lib/report.ts';

const ROUNDS = 7;
const REQUESTS = 800;
const CLIENTS = 32;
const GATE = 0.6;

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-peers-ca-'));
const at = (name: string): string => join(folder, name);
const processes = new Processes(folder);

/** Fulcio with an authority in memory. */
async function startFulcio(
  issuer: string,
): Promise<{ readonly url: string; readonly pid: number | undefined }> {
  const [port, grpc, metrics] = await Promise.all(Array.from({ length: 3 }, freePort));
  const believed = `oidc-issuers:\n  ${issuer}:\n    issuer-url: ${issuer}\n    client-id: sigstore\n    type: email\n`;
  writeFileSync(at('fulcio.yaml'), believed);
  const host = '127.0.0.1';
  const { pid } = processes.start('fulcio', [
    ...['serve', '--ca', 'ephemeralca', '--ct-log-url=', '--config-path', at('fulcio.yaml')],
    ...['--host', host, '--port', `${port}`, '--grpc-host', host, '--grpc-port', `${grpc}`],
    ...['--metrics-port', `${metrics}`, '--legacy-unix-domain-socket', at('fulcio.sock')],
    ...['--log_type', 'prod'],
  ]);
  const url = `http://${host}:${port}`;
  await processes.answer('fulcio', `${url}/api/v2/trustBundle`);
  return { url, pid };
}

async function treeSize(ct: string): Promise<number> {
  const head = (await (await fetch(`${ct}/ct/v1/get-sth`)).json()) as { readonly tree_size: number };
  return head.tree_size;
}

const stack = await startServer('bench/lib/authority-server.ts', ['stack', at('data')]);
try {
  const { oidc, ca, ct } = JSON.parse(stack.url) as Readonly<Record<'oidc' | 'ca' | 'ct', string>>;
  const fulcio = await startFulcio(oidc);
  const trustedRoot = readFileSync(at('data/public/trusted_root.json'), 'utf8');
  const ctKey = unwrap(publicKeyFromSpki(ctKeyOf(trustedRoot)));
  const asks = await certificateAsks(oidc, REQUESTS);
  const pids = { waybill: stack.child.pid, fulcio: fulcio.pid };
  const before = { waybill: 0, fulcio: 0 };
  const measured = await inRounds(
    { waybill: `${ca}/api/v2/signingCert`, fulcio: `${fulcio.url}/api/v2/signingCert` },
    asks.map(({ post }) => post),
    { rounds: ROUNDS, clients: CLIENTS, warmUp: 3 * REQUESTS },
    (target, index, answer) => {
      checkCertificate(answer, asks[index] as CertificateAsk, target === 'waybill' ? ctKey : undefined);
    },
    () => {
      for (const name of ['waybill', 'fulcio'] as const) before[name] = processorMs(pids[name]);
    },
  );
  for (const name of ['waybill', 'fulcio'] as const) {
    console.log(line(name, measured[name], CLIENTS, processorMs(pids[name]) - before[name]));
  }
  const logged = await treeSize(ct);
  if (logged < ROUNDS * REQUESTS) throw new Error(`only ${logged} certificates are in the log`);
  console.log(`p99 of waybill: aim 50 ms, bound 120 ms; ${logged} precertificates in its log`);
  const times = rateRatio(measured.waybill, measured.fulcio);
  report('peers-ca', { 'of fulcio without a log': Number(times.toFixed(2)) }, times >= GATE);
} finally {
  await Promise.all([stack.stop(), processes.close()]);
  rmSync(folder, { recursive: true, force: true });
}
