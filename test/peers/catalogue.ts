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

/** A Go program that `go install` refuses, because its module replaces or excludes others: built from a module made for it. */
export interface ScratchPeer extends PeerFacts {
  readonly goPackage: string;
  readonly goModule: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ModulePeer extends PeerFacts {
  /** A folder with a Go module of our own; built again when go.mod, go.sum or main.go change. */
  readonly moduleFolder: string;
  /** Build tags: parts left out that want C libraries. */
  readonly tags?: string;
}

/** A Python program, in a virtual environment of its own. */
export interface PipPeer extends PeerFacts {
  readonly pipPackage: string;
  /** What the package calls its program. */
  readonly program: string;
}

/** A program of an npm package, in a folder of its own; no script of a package runs. */
export interface NpmPeer extends PeerFacts {
  readonly npmPackage: string;
  /** What the package calls its program. */
  readonly program: string;
}

/** A program of Debian packages, unpacked into one folder and not installed; other libraries have to be there. */
export interface DebPeer extends PeerFacts {
  readonly debPackages: readonly string[];
  readonly program: string;
}

export type Peer = PackagePeer | ScratchPeer | ModulePeer | PipPeer | NpmPeer | DebPeer;

export const peers: readonly Peer[] = [
  {
    name: 'cosign',
    binary: 'cosign',
    version: '3.1.3',
    goPackage: 'github.com/sigstore/cosign/v3/cmd/cosign',
    seconds: 143,
  },
  {
    // The line with the legacy layout by default; `cosign` in both lists means both.
    name: 'cosign',
    binary: 'cosign-2',
    version: '2.6.3',
    goPackage: 'github.com/sigstore/cosign/v2/cmd/cosign',
    seconds: 135,
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
  {
    name: 'syft',
    binary: 'syft',
    version: '1.52.0',
    goPackage: 'github.com/anchore/syft/cmd/syft',
    seconds: 172,
  },
  {
    name: 'grype',
    binary: 'grype',
    version: '0.110.0',
    goPackage: 'github.com/anchore/grype/cmd/grype',
    seconds: 104,
  },
  {
    // Writes Grype's database from OSV files, for the comparison of verdicts.
    name: 'grypedb',
    binary: 'grypedb',
    version: '0.110.0',
    moduleFolder: 'test/peers/grypedb',
    seconds: 80,
  },
  {
    name: 'versitygw',
    binary: 'versitygw',
    version: '1.8.0',
    goPackage: 'github.com/versity/versitygw/cmd/versitygw',
    seconds: 59,
  },
  {
    name: 'fulcio',
    binary: 'fulcio',
    version: '1.8.8',
    goPackage: 'github.com/sigstore/fulcio',
    seconds: 27,
  },
  {
    name: 'timestamp-server',
    binary: 'timestamp-server',
    version: '2.1.3',
    goPackage: 'github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server',
    seconds: 35,
  },
  {
    name: 'rekor-tiles',
    binary: 'rekor-tiles',
    version: '2.3.0',
    goPackage: 'github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix',
    seconds: 14,
  },
  {
    // For the benchmark: sigstore-go in a loop.
    name: 'sigstore-go',
    binary: 'sigstore-go-loop',
    version: '1.3.0',
    moduleFolder: 'test/peers/sigstore-go',
    seconds: 60,
  },
  {
    // Its own command line, which reads trust from a TUF repository.
    name: 'sigstore-go',
    binary: 'sigstore-go-verification',
    version: '1.3.0',
    goPackage: 'github.com/sigstore/sigstore-go/examples/sigstore-go-verification',
    seconds: 12,
  },
  {
    // For the benchmark: Tessera's POSIX driver with its antispam, appending in a loop.
    name: 'tessera',
    binary: 'tessera-loop',
    version: '1.0.4',
    moduleFolder: 'test/peers/tessera',
    seconds: 20,
  },
  {
    name: 'trivy',
    binary: 'trivy',
    version: '0.69.0',
    goModule: 'github.com/aquasecurity/trivy',
    goPackage: 'github.com/aquasecurity/trivy/cmd/trivy',
    environment: { GOEXPERIMENT: 'jsonv2' },
    seconds: 525,
  },
  {
    // Writes Trivy's database from OSV files, for the comparison of verdicts.
    name: 'trivydb',
    binary: 'trivydb',
    version: '0.69.0',
    moduleFolder: 'test/peers/trivydb',
    seconds: 10,
  },
  {
    name: 'sigstore-python',
    binary: 'sigstore-python',
    version: '4.5.1',
    pipPackage: 'sigstore',
    program: 'sigstore',
    seconds: 30,
  },
  {
    // Its command line, which brings the libraries with it.
    name: 'sigstore-js',
    binary: 'sigstore-js',
    version: '0.10.3',
    npmPackage: '@sigstore/cli',
    program: 'sigstore',
    seconds: 10,
  },
  {
    // Its Go module is not to be had. The Debian package is older, and verifies nothing: see containers-image.
    name: 'skopeo',
    binary: 'skopeo',
    version: '1.9.3',
    debPackages: ['skopeo'],
    program: 'usr/bin/skopeo',
    seconds: 5,
  },
  {
    // Unpacks images as a runtime does, so that package managers can be asked about what is inside.
    name: 'umoci',
    binary: 'umoci',
    version: '0.4.7',
    debPackages: ['umoci'],
    program: 'usr/bin/umoci',
    seconds: 5,
  },
  {
    // A PKCS#11 token in files, and the tool that asks tokens to sign.
    name: 'softhsm',
    binary: 'softhsm2-util',
    version: '2.6.1',
    debPackages: ['softhsm2', 'libsofthsm2', 'opensc', 'opensc-pkcs11'],
    program: 'usr/bin/softhsm2-util',
    seconds: 5,
  },
  {
    // The library of skopeo, podman and CRI-O, with their policy.
    name: 'containers-image',
    binary: 'containers-image',
    version: '5.36.2',
    moduleFolder: 'test/peers/containers-image',
    tags: [
      'containers_image_openpgp',
      'containers_image_storage_stub',
      'containers_image_docker_daemon_stub',
      'exclude_graphdriver_btrfs',
    ].join(),
    seconds: 105,
  },
  {
    name: 'slsa-verifier',
    binary: 'slsa-verifier',
    version: '2.7.1',
    goModule: 'github.com/slsa-framework/slsa-verifier/v2',
    goPackage: 'github.com/slsa-framework/slsa-verifier/v2/cli/slsa-verifier',
    seconds: 52,
  },
];
