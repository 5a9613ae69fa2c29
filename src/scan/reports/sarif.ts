/** SARIF 2.1.0, for code-scanning pages. */
import type { JsonObject } from '#formats/json';
import type { Finding, ScanResult } from '../finding.ts';
import { gapLines, printable } from './options.ts';

const level = (one: Finding): string => {
  if (one.rating.severity === 'critical' || one.rating.severity === 'high') return 'error';
  return one.rating.severity === 'medium' ? 'warning' : 'note';
};

export function sarifReport(result: ScanResult, version: string): JsonObject {
  const rules = new Map(result.findings.map((one) => [one.id, one]));
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'waybill',
            version,
            rules: [...rules].map(([id, one]) => ({
              id,
              shortDescription: { text: plain(one.summary === '' ? id : one.summary) },
              properties: {
                tags: ['vulnerability', 'security', one.rating.severity],
                ...(one.rating.score === undefined ? {} : { 'security-severity': String(one.rating.score) }),
              },
            })),
          },
        },
        invocations: [
          {
            executionSuccessful: true,
            toolExecutionNotifications: gapLines(result).map((text) => ({
              level: 'warning',
              message: { text: plain(text) },
            })),
          },
        ],
        results: result.findings.map((one) => ({
          ruleId: one.id,
          level: level(one),
          message: { text: plain(messageOf(one)) },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: uriOf(one.package.locations[0]?.path ?? result.sbom.subject.name) },
                region: { startLine: 1 },
              },
            },
          ],
          partialFingerprints: { waybill: `${one.id}:${one.package.id}` },
        })),
      },
    ],
  };
}

/** Viewers make a link of `[text](target)` (SARIF 2.1.0, 3.11.6): whoever names a package must not place one. */
const plain = (text: string): string => printable(text).replaceAll('](', '] (');

/** Relative, whatever the path looks like. Pages of results take none without a place: there the image stands. */
const uriOf = (path: string): string =>
  encodeURI(path.toWellFormed().replace(/^\/+/, '')).replace(/[:?#]/g, encodeURIComponent);

function messageOf(one: Finding): string {
  const fix = one.fixed.length === 0 ? 'no fix is known' : `fixed in ${one.fixed.join(', ')}`;
  return `${one.package.name} ${one.package.version}: ${one.id} (${one.rating.severity}); ${fix}`;
}
