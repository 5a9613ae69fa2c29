/** purl-spec's own cases (tests/spec, tests/types): parse, build, validate. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { buildPurl, type Purl, type PurlParts, parsePurl, purlText } from '#formats/purl';
import { counted, type Tally } from './tally.ts';

interface PurlCase {
  readonly description: string;
  readonly test_type: 'parse' | 'build' | 'validate';
  readonly input: string | Readonly<Record<string, unknown>>;
  readonly expected_output?: unknown;
  readonly expected_failure: boolean;
}

function shape(purl: Purl): object {
  const qualifiers = purl.qualifiers.size === 0 ? null : Object.fromEntries(purl.qualifiers);
  const { namespace = null, version = null, subpath = null } = purl;
  return { type: purl.type, namespace, name: purl.name, version, qualifiers, subpath };
}

function answer({ test_type, input }: PurlCase): unknown {
  if (typeof input !== 'string') {
    const qualifiers = new Map(Object.entries((input['qualifiers'] ?? {}) as Record<string, string>));
    const built = buildPurl({ ...(input as unknown as PurlParts), qualifiers });
    return built.ok ? built.value : undefined;
  }
  const lenient = test_type === 'validate';
  const parsed = parsePurl(input, { lenient });
  if (!parsed.ok) return undefined;
  return lenient ? purlText(parsed.value) : shape(parsed.value);
}

/** Every case of the suite. */
function cases(shared: string, tally: Tally): void {
  const folder = join(shared, 'vectors/purl/tests');
  const files = readdirSync(join(folder, 'types')).map((name) => `types/${name}`);
  for (const file of ['spec/specification-test.json', ...files.sort()]) {
    const { tests } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { tests: PurlCase[] };
    for (const one of tests) {
      const wanted = one.expected_failure ? undefined : one.expected_output;
      const got = answer(one);
      tally(
        isDeepStrictEqual(got, wanted),
        `${file}: ${one.test_type} ${JSON.stringify(one.input)}: ${JSON.stringify(got)}`,
      );
    }
  }
}

export const purlVectors = counted('purl', cases);
