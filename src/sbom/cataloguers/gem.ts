/** Installed Ruby gems: the specifications that RubyGems writes, which are Ruby source of a fixed form. */
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';
import { type Linked, packageIn, readEach, textOf } from './common.ts';

export const gem: Cataloguer = {
  name: 'gem',
  reads: 'specifications of installed gems',
  types: ['gem'],
  evidence: 'installed',
  files: [{ endings: ['.gemspec'], path: /(?:^|\/)specifications\/(?:.+\/)?[^/]+\.gemspec$/ }],
  catalogue: (image) => readEach(image, gem, readSpecification),
};

const string = String.raw`(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')(?:\.freeze)?`;

function* readSpecification(file: ImageFile): Generator<Linked | FoundPackage> {
  const text = textOf(file);
  // The first line that sets a field counts: one look through the text, however often it is set.
  const valueAt = (name: string): number | undefined => {
    const match = new RegExp(String.raw`^[ \t]*\w+\.${name}[ \t]*=[ \t]*`, 'm').exec(text);
    return match === null ? undefined : match.index + match[0].length;
  };
  const field = (name: string): string | undefined => {
    const pattern = new RegExp(string, 'y');
    pattern.lastIndex = valueAt(name) ?? text.length;
    const match = pattern.exec(text);
    return match?.[1] ?? match?.[2];
  };
  const list = (name: string): string[] => {
    const from = valueAt(name);
    const to = from === undefined || text[from] !== '[' ? -1 : text.indexOf(']', from);
    const body = to < 0 ? '' : text.slice(from, to);
    return [...body.matchAll(new RegExp(string, 'g'))].map((match) => match[1] ?? match[2] ?? '');
  };
  // `# stub: NAME VERSION PLATFORM PATHS` is written by RubyGems itself.
  const stub = /^# stub: (\S+) (\S+) (\S+)/m.exec(text);
  const name = field('name') ?? stub?.[1];
  const version = field('version') ?? /Gem::Version\.new\(\s*["']([^"']+)["']/.exec(text)?.[1] ?? stub?.[2];
  if (name === undefined || version === undefined)
    throw new Error('a specification without a name and a version');
  const license = field('license');
  const authors = list('authors');
  yield packageIn(
    file,
    { type: 'gem', name, version },
    {
      licenses: license === undefined ? list('licenses') : [license],
      supplier: authors.length === 0 ? undefined : authors.join(', '),
      description: field('summary'),
      homepage: field('homepage'),
    },
  );
}
