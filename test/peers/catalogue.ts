/** The real peers: which version, how each is installed, how long that takes on two cores from nothing. */

interface PeerFacts {
  readonly name: string;
  /** File below `bin/` of the cache. */
  readonly binary: string;
  readonly version: string;
  readonly seconds: number;
}

export interface PackagePeer extends PeerFacts {
  /** The Go package that `go install` builds. */
  readonly goPackage: string;
}

export interface ModulePeer extends PeerFacts {
  /** A folder with a Go module of our own; built again when go.mod, go.sum or main.go change. */
  readonly moduleFolder: string;
}

export type Peer = PackagePeer | ModulePeer;

export const peers: readonly Peer[] = [
  {
    name: 'cosign',
    binary: 'cosign',
    version: '3.1.3',
    goPackage: 'github.com/sigstore/cosign/v3/cmd/cosign',
    seconds: 143,
  },
  {
    name: 'rekor-cli',
    binary: 'rekor-cli',
    version: '1.5.4',
    goPackage: 'github.com/sigstore/rekor/cmd/rekor-cli',
    seconds: 36,
  },
  {
    name: 'crane',
    binary: 'crane',
    version: '0.22.1',
    goPackage: 'github.com/google/go-containerregistry/cmd/crane',
    seconds: 18,
  },
  {
    name: 'kube',
    binary: 'kubetest',
    version: '1.36.3',
    moduleFolder: 'test/peers/kube',
    seconds: 530,
  },
];
