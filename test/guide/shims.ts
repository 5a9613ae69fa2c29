/** What stands in PATH in place of the guide's tools: waybill in their words, and named equivalents for the rest. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const modes = ['cosign', 'syft', 'grype', 'trivy', 'slsa-verifier', 'rekor-cli'];

/** What each simulated tool is, as the report says it. */
export const equivalents: Readonly<Record<string, string>> = {
  'docker build, docker push': 'waybill build, from the tagged commit, pushed by digest',
  'docker buildx imagetools inspect': 'waybill digest',
  'kubectl run': 'both calls an API server makes to the admission webhook for such a Pod',
  'the workflow’s permissions': 'the token endpoint a job of GitHub Actions finds in its environment',
  'the generator’s workflow': 'waybill attest with a token of that workflow and the predicate it writes',
};

const docker = `#!/bin/sh
set -eu
case "$1 \${2:-}" in
  "build -t") printf '%s' "$3" > "$GUIDE_WORK/built-tag" ;;
  push*)
    test "$2" = "$(cat "$GUIDE_WORK/built-tag")"
    exec "$WAYBILL" build --source https://github.com/acme/api --mirror "https://github.com/acme/api=$GUIDE_SOURCE" \\
      --ref refs/tags/v1.4.2 --output "$2" ;;
  "buildx imagetools") printf '"%s"\\n' "$("$WAYBILL" digest --quiet "$4")" ;;
  *) echo "docker $*: not simulated" >&2; exit 1 ;;
esac
`;

export function writeShims(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string): void => {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  };
  for (const mode of modes) write(mode, `#!/bin/sh\nexec "$WAYBILL" ${mode} "$@"\n`);
  write('docker', docker);
  write('kubectl', '#!/bin/sh\nexec "$GUIDE_NODE" "$GUIDE_KUBECTL" "$@"\n');
}
