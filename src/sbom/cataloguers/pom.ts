/** Maven project files: coordinates, licences and dependencies with their properties filled in. No network. */
import { XMLParser } from 'fast-xml-parser';

export interface PomCoordinates {
  readonly group?: string;
  readonly artifact: string;
  readonly version: string;
  readonly licenses?: readonly string[];
}

export interface Pom {
  readonly project: PomCoordinates;
  readonly dependencies: readonly PomCoordinates[];
}

type Node = Readonly<Record<string, unknown>>;

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  processEntities: false,
  trimValues: true,
});

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const node = (value: unknown, ...path: readonly string[]): Node | undefined => {
  let at: unknown = value;
  for (const name of path) at = isNode(at) ? at[name] : undefined;
  return isNode(at) ? at : undefined;
};
const nodes = (value: unknown): readonly Node[] =>
  Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [];
const text = (of: Node | undefined, name: string): string => {
  const value = of?.[name];
  return typeof value === 'string' ? value.trim() : '';
};

/** Throws with the reason when the text is no project. */
export function parsePom(xml: string): Pom {
  const root = node(parser.parse(xml) as unknown, 'project');
  if (root === undefined) throw new Error('no project in the file');
  const parent = node(root, 'parent');
  const group = text(root, 'groupId') || text(parent, 'groupId');
  const version = text(root, 'version') || text(parent, 'version');
  const properties = new Map<string, string>();
  for (const [name, value] of Object.entries(node(root, 'properties') ?? {})) {
    if (typeof value === 'string') properties.set(name, value);
  }
  for (const prefix of ['project', 'pom']) {
    properties.set(`${prefix}.groupId`, group);
    properties.set(`${prefix}.version`, version);
    properties.set(`${prefix}.artifactId`, text(root, 'artifactId'));
    properties.set(`${prefix}.parent.version`, text(parent, 'version'));
    properties.set(`${prefix}.parent.groupId`, text(parent, 'groupId'));
  }
  const filled = (value: string): string => fill(value, properties, 0);
  const managed = new Map<string, string>();
  for (const one of nodes(node(root, 'dependencyManagement', 'dependencies')?.['dependency'])) {
    managed.set(
      `${filled(text(one, 'groupId'))}:${filled(text(one, 'artifactId'))}`,
      filled(text(one, 'version')),
    );
  }
  const licenses = nodes(node(root, 'licenses')?.['license']).map((one) => text(one, 'name'));
  const dependencies = nodes(node(root, 'dependencies')?.['dependency']).map((one) => {
    const coordinates = { group: filled(text(one, 'groupId')), artifact: filled(text(one, 'artifactId')) };
    const stated = filled(text(one, 'version'));
    return {
      ...coordinates,
      version: stated || (managed.get(`${coordinates.group}:${coordinates.artifact}`) ?? ''),
    };
  });
  return {
    project: {
      artifact: filled(text(root, 'artifactId')),
      version: filled(version),
      ...(group === '' ? {} : { group: filled(group) }),
      ...(licenses.length === 0 ? {} : { licenses: licenses.filter((one) => one !== '') }),
    },
    dependencies,
  };
}

const FILL_DEPTH_MAX = 8;

/** Fills `${name}`; what is not known stays as it is. */
function fill(value: string, properties: ReadonlyMap<string, string>, depth: number): string {
  if (depth > FILL_DEPTH_MAX || !value.includes('${')) return value;
  const next = value.replace(/\$\{([^}]+)\}/g, (whole, name: string) => properties.get(name) ?? whole);
  return next === value ? value : fill(next, properties, depth + 1);
}
