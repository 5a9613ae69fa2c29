/** Takes the shell and YAML blocks out of the guide's plain text, which has no fences. */
import type { Block, BlockKind } from './lines.ts';

const command = /^(?:(?:docker|syft|grype|trivy|cosign|slsa-verifier|rekor-cli|kubectl)\s|[A-Z_]+=)/;
const key = /^\s*(?:- )?[\w.-]+:(?:\s|$)/;

/** A paragraph is code when its first line that is no comment is; its parts are split where the kind changes. */
export function extractBlocks(text: string): Block[] {
  return text.split(/\n\s*\n/).flatMap(blocksOf);
}

function blocksOf(paragraph: string): Block[] {
  const lines = paragraph
    .split('\n')
    .map(withoutComment)
    .filter((line) => line !== '');
  const blocks: { kind: BlockKind; lines: string[] }[] = [];
  let isContinued = false;
  for (const line of lines) {
    const last = blocks.at(-1);
    const kind = isContinued ? last?.kind : kindOf(line, last?.kind);
    if (kind === undefined) return [];
    if (last?.kind === kind) last.lines.push(line);
    else blocks.push({ kind, lines: [line] });
    isContinued = line.endsWith('\\');
  }
  return blocks.map((block) => ({ kind: block.kind, text: block.lines.join('\n') }));
}

function kindOf(line: string, before: BlockKind | undefined): BlockKind | undefined {
  if (command.test(line)) return 'shell';
  if (key.test(line) || (before === 'yaml' && /^\s/.test(line))) return 'yaml';
  return before === 'shell' && /^\s/.test(line) ? 'shell' : undefined;
}

/** A comment is a whole line, or stands after white space; `${DIGEST#sha256:}` is none. */
const withoutComment = (line: string): string =>
  line
    .replace(/^\s*#.*$/, '')
    .replace(/\s+#\s.*$/, '')
    .trimEnd();
