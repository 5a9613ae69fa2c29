/** `node test/peers/kube-up.ts`: a cluster to try things with; prints its KUBECONFIG, ends on Ctrl-C. */
import { once } from 'node:events';
import { startKube } from './kube.ts';

const kube = await startKube();
console.log(`export KUBECONFIG=${kube.kubeconfig}`);
console.error(
  `kube-apiserver at ${kube.origin}; no nodes: Pods are stored and stay Pending. Ctrl-C ends it.`,
);
// A process with nothing to do but to wait would end.
const alive = setInterval(() => {}, 60_000);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
clearInterval(alive);
await kube.stop();
