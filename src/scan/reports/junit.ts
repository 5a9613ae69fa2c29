/** JUnit XML: a suite for each kind of package, a failure for each finding. */
import type { Finding, ScanResult } from '../finding.ts';
import { fixText, gapLines, printable, type ReportOptions } from './options.ts';

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
const xml = (text: string): string => printable(text).replace(/[&<>"']/g, (char) => escapes[char] ?? char);

export function junitReport(result: ScanResult, options: ReportOptions): string {
  const groups = Map.groupBy(result.findings, (one) => one.package.type);
  const suites = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, findings]) => suite(type, findings));
  const gate = options.gate?.reasons ?? [];
  const gateSuite =
    gate.length === 0
      ? []
      : [
          `  <testsuite name="gate" tests="${gate.length}" failures="${gate.length}" errors="0" skipped="0">`,
          ...gate.map(
            (why) =>
              `    <testcase classname="gate" name="${xml(why.check)}"><failure type="${why.code}" message="${xml(`expected ${why.expected}`)}">${xml(why.actual)}</failure></testcase>`,
          ),
          '  </testsuite>',
        ];
  const total = result.findings.length;
  const gaps = gapLines(result);
  const gapSuite =
    gaps.length === 0
      ? []
      : [
          '  <testsuite name="not judged" tests="0" failures="0" errors="0" skipped="0">',
          `    <system-out>${xml(gaps.join('; '))}</system-out>`,
          '  </testsuite>',
        ];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${xml(`waybill scan ${result.sbom.subject.name}`)}" tests="${total + gate.length}" failures="${total + gate.length}" errors="0">`,
    ...suites.flat(),
    ...gateSuite,
    ...gapSuite,
    '</testsuites>',
    '',
  ].join('\n');
}

function suite(type: string, findings: readonly Finding[]): string[] {
  const count = findings.length;
  return [
    `  <testsuite name="${xml(type)}" tests="${count}" failures="${count}" errors="0" skipped="0">`,
    ...findings.map((one) => {
      const name = xml(`[${one.rating.severity.toUpperCase()}] ${one.id}`);
      const place = xml(`${one.package.name}-${one.package.version}`);
      const message = xml(one.summary === '' ? one.id : one.summary);
      const fix = xml(`fixed in: ${fixText(one)}`);
      return `    <testcase classname="${place}" name="${name}"><failure type="vulnerability" message="${message}">${fix}</failure></testcase>`;
    }),
    '  </testsuite>',
  ];
}
