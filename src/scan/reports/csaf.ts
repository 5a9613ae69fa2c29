/**
 * A scan as CSAF 2.0, profile VEX (docs.oasis-open.org/csaf/csaf/v2.0, 4.5): the same statements as in OpenVEX, and
 * what could not be compared as under investigation. Equal input gives equal bytes.
 */
import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { sha256 } from '#base/crypto';
import type { JsonObject } from '#formats/json';
import type { SbomPackage } from '#formats/sbom';
import { vexJustifications } from '#formats/vex';
import { compareText, type Finding, idsOf, type ScanResult } from '../finding.ts';
import { actionOf, imagePurl } from './openvex.ts';
import type { ReportOptions } from './options.ts';

type Status = 'known_affected' | 'known_not_affected' | 'fixed' | 'under_investigation';

/** What is said of one product; the first of these wins where a problem is told twice of it (6.1.6). */
const order: readonly Status[] = ['known_affected', 'under_investigation', 'known_not_affected', 'fixed'];

interface Statement {
  readonly status: Status;
  readonly package: SbomPackage;
  readonly finding?: Finding;
  readonly justification?: string;
  readonly impact?: string;
}

interface Problem {
  readonly ids: Set<string>;
  readonly statements: Map<string, Statement>;
}

const IMAGE = 'CSAFPID-0001';

export function csafReport(result: ScanResult, options: ReportOptions): JsonObject {
  const problems = problemsIn(result);
  const products = productsIn(problems);
  const vulnerabilities = [...problems]
    .sort(([a], [b]) => compareText(a, b))
    .map(([id, problem]) => vulnerabilityJson(id, problem, products));
  const content: JsonObject =
    vulnerabilities.length === 0 ? {} : { product_tree: treeJson(products, result), vulnerabilities };
  return { document: documentJson(content, result, options), ...content };
}

/** By id: a vulnerability may stand in a document once (6.1.23). */
function problemsIn(result: ScanResult): Map<string, Problem> {
  const problems = new Map<string, Problem>();
  const add = (id: string, ids: readonly string[], statement: Statement): void => {
    const problem = problems.get(id) ?? { ids: new Set<string>(), statements: new Map<string, Statement>() };
    problems.set(id, problem);
    for (const one of ids) problem.ids.add(one);
    const key = keyOf(statement.package);
    const known = problem.statements.get(key);
    if (known === undefined || order.indexOf(statement.status) < order.indexOf(known.status)) {
      problem.statements.set(key, statement);
    }
  };
  for (const finding of result.findings) {
    add(finding.id, idsOf(finding), { status: 'known_affected', package: finding.package, finding });
  }
  for (const { finding, vex, reason: impact } of result.suppressed) {
    if (vex === undefined) continue;
    const { justification } = vex;
    const status = vex.status === 'fixed' ? 'fixed' : 'known_not_affected';
    const why = justification === undefined ? {} : { justification };
    add(finding.id, idsOf(finding), { status, package: finding.package, finding, impact, ...why });
  }
  for (const { id, package: one, reason: impact } of result.undetermined) {
    add(id, [id], { status: 'under_investigation', package: one, impact });
  }
  return problems;
}

const keyOf = ({ purl, type, name, version }: SbomPackage): string => purl ?? `${type} ${name} ${version}`;

interface Product {
  readonly package: SbomPackage;
  /** Of the package, and of the package in the image. */
  readonly id: string;
  readonly inImage: string;
}

const numbered = (number: number): string => `CSAFPID-${String(number).padStart(4, '0')}`;

function productsIn(problems: ReadonlyMap<string, Problem>): ReadonlyMap<string, Product> {
  const packages = new Map<string, SbomPackage>();
  for (const { statements } of problems.values()) {
    for (const [key, { package: one }] of statements) if (!packages.has(key)) packages.set(key, one);
  }
  const sorted = [...packages].sort(([a], [b]) => compareText(a, b));
  return new Map(
    sorted.map(([key, one], i) => [
      key,
      { package: one, id: numbered(2 * i + 2), inImage: numbered(2 * i + 3) },
    ]),
  );
}

const identified = (purl: string | undefined): JsonObject =>
  purl === undefined ? {} : { product_identification_helper: { purl } };

function treeJson(products: ReadonlyMap<string, Product>, { sbom: { subject } }: ScanResult): JsonObject {
  const image = `${subject.name}${subject.digest === undefined ? '' : `@${subject.digest}`}`;
  const named = [...products.values()].map(({ package: { name, version, purl }, id }) => ({
    name: `${name} ${version}`,
    product_id: id,
    ...identified(purl),
  }));
  return {
    full_product_names: [{ name: image, product_id: IMAGE, ...identified(imagePurl(subject)) }, ...named],
    relationships: [...products.values()].map(({ package: { name, version, purl }, id, inImage }) => ({
      category: 'default_component_of',
      // With its purl, so that readers that do not follow relationships know the package.
      full_product_name: {
        name: `${name} ${version} in ${image}`,
        product_id: inImage,
        ...identified(purl),
      },
      product_reference: id,
      relates_to_product_reference: IMAGE,
    })),
  };
}

function vulnerabilityJson(
  id: string,
  { ids, statements }: Problem,
  products: ReadonlyMap<string, Product>,
): JsonObject {
  const told = [...statements]
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, statement]) => ({ ...statement, product: (products.get(key) as Product).inImage }));
  const findings = told.flatMap(({ finding }) => finding ?? []);
  const isCve = /^CVE-\d{4}-\d{4,}$/.test(id);
  const others = [...ids].filter((one) => !isCve || one !== id).sort();
  const description = findings.map(({ summary }) => summary).find((text) => text !== '');
  const impacts = told.filter(({ impact }) => impact !== undefined && impact !== '');
  const flags = told.filter(({ justification }) => isJustification(justification));
  return {
    title: id,
    ...(isCve ? { cve: id } : {}),
    ...(others.length === 0 ? {} : { ids: others.map((text) => ({ system_name: systemOf(text), text })) }),
    notes: [{ category: 'description', text: description ?? `Nothing but its id is known of ${id}.` }],
    ...referencesOf(findings),
    product_status: Object.fromEntries(
      order.flatMap((status) => {
        const list = told.filter((one) => one.status === status).map(({ product }) => product);
        return list.length === 0 ? [] : [[status, list]];
      }),
    ),
    ...(flags.length === 0
      ? {}
      : {
          flags: flags.map(({ justification = '', product }) => ({
            label: justification,
            product_ids: [product],
          })),
        }),
    ...remediationsOf(told),
    ...scoresOf(told),
    ...(impacts.length === 0
      ? {}
      : {
          threats: impacts.map(({ impact = '', product }) => ({
            category: 'impact',
            details: impact,
            product_ids: [product],
          })),
        }),
  };
}

type Told = Statement & { readonly product: string };

const isJustification = (text: string | undefined): boolean =>
  (vexJustifications as readonly (string | undefined)[]).includes(text);

/** `GHSA`, `PYSEC`, `CVE`: who gives such ids. */
const systemOf = (id: string): string => /^[A-Za-z]+(?=-)/.exec(id)?.[0] ?? 'OSV';

function referencesOf(findings: readonly Finding[]): JsonObject {
  const urls = [...new Set(findings.flatMap(({ references }) => references))].filter(
    (url) => /^https?:\/\//.test(url) && URL.canParse(url),
  );
  if (urls.length === 0) return {};
  return { references: urls.map((url) => ({ category: 'external', summary: url, url })) };
}

/** The action statement that a product known to be affected must have. */
function remediationsOf(told: readonly Told[]): JsonObject {
  const remediations = told.flatMap(({ status, finding, product }) => {
    if (status !== 'known_affected' || finding === undefined) return [];
    const unfixed = finding.state === 'wont-fix' ? 'no_fix_planned' : 'none_available';
    const category = finding.fixed.length > 0 ? 'vendor_fix' : unfixed;
    return [{ category, details: actionOf(finding), product_ids: [product] }];
  });
  return remediations.length === 0 ? {} : { remediations };
}

/** CSAF 2.0 knows CVSS 2 and 3; a product has one of each (6.1.7). */
function scoresOf(told: readonly Told[]): JsonObject {
  const scores = told.flatMap(({ finding, product }) => {
    const found = finding?.rating.cvss?.find(({ version }) => version === '3.1' || version === '3.0');
    if (found === undefined) return [];
    const { version, vector, score } = found;
    const cvss = { version, vectorString: vector, baseScore: score, baseSeverity: severityOf(score) };
    return [{ products: [product], cvss_v3: cvss }];
  });
  return scores.length === 0 ? {} : { scores };
}

/** The qualitative scale of CVSS 3.1, section 5. */
function severityOf(score: number): string {
  if (score === 0) return 'NONE';
  if (score < 4) return 'LOW';
  if (score < 7) return 'MEDIUM';
  return score < 9 ? 'HIGH' : 'CRITICAL';
}

function documentJson(content: JsonObject, result: ScanResult, options: ReportOptions): JsonObject {
  const { name } = result.sbom.subject;
  const date = rfc3339(options.finishedMs);
  const id = toHex(sha256(utf8(JSON.stringify([content, name, result.database.digest])))).slice(0, 32);
  // The profile demands a vulnerability: where nothing is stated, the document is of the base profile.
  const isEmpty = Object.keys(content).length === 0;
  return {
    category: isEmpty ? 'csaf_base' : 'csaf_vex',
    csaf_version: '2.0',
    lang: 'en',
    notes: [
      {
        category: 'general',
        text: `${isEmpty ? 'Nothing was found' : 'Found'} by a scan with ${result.database.records} advisories (${result.database.digest}).`,
      },
    ],
    publisher: { category: 'other', name: 'waybill scan', namespace: 'https://waybill.dev' },
    title: `Vulnerabilities of ${name}`,
    tracking: {
      current_release_date: date,
      generator: { date, engine: { name: 'waybill', version: options.version } },
      id: `waybill-vex-${id}`,
      initial_release_date: date,
      revision_history: [{ date, number: '1', summary: 'Written from a scan.' }],
      status: 'interim',
      version: '1',
    },
  };
}
