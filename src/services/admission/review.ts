/** AdmissionReview `admission.k8s.io/v1`: what comes in, what goes out. No judgement here. */
import { toBase64, utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { parseJson } from '#formats/json';
import type { AdmissionRequest, Json } from '#policy';
import { R } from './reasons.ts';

export interface Review {
  readonly uid: string;
  readonly dryRun: boolean;
  /** As far as the request says; `object` is null for deletions. */
  readonly request: AdmissionRequest;
  readonly subResource: string;
  readonly oldObject: Json;
}

export interface ReviewAnswer {
  readonly allowed: boolean;
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
  readonly patch?: readonly PatchStep[];
  readonly warnings?: readonly string[];
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

export interface PatchStep {
  readonly op: 'test' | 'replace';
  readonly path: string;
  readonly value: string;
}

type JsonMap = { [name: string]: Json };
const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const map = (value: Json | undefined): JsonMap => (isMap(value) ? value : {});
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

const API_VERSION = 'admission.k8s.io/v1';

/** Throws WB-1140 for anything but a complete request. */
export function parseReview(bytes: Uint8Array): Review {
  const parsed = parseJson(bytes, { maxBytes: limits.admissionReviewBytes });
  const review = map(unwrap(parsed) as Json);
  const what = `${text(review['apiVersion'])} ${text(review['kind'])}`.trim();
  if (what !== `${API_VERSION} AdmissionReview`) {
    throw fail(R.review, { expected: `${API_VERSION} AdmissionReview`, actual: what || 'another document' });
  }
  const request = map(review['request']);
  const uid = text(request['uid']);
  if (uid === '') throw fail(R.review, { expected: 'a request with a uid', actual: 'none' });
  const operation = text(request['operation']);
  if (!['CREATE', 'UPDATE', 'DELETE', 'CONNECT'].includes(operation)) {
    const expected = 'operation CREATE, UPDATE, DELETE or CONNECT';
    throw fail(R.review, { expected, actual: JSON.stringify(operation) });
  }
  const object = request['object'] ?? null;
  if (operation !== 'DELETE' && operation !== 'CONNECT' && !isMap(object)) {
    throw fail(R.review, { expected: 'an object to judge', actual: `none for ${operation}` });
  }
  return {
    uid,
    dryRun: request['dryRun'] === true,
    subResource: text(request['subResource']),
    oldObject: request['oldObject'] ?? null,
    request: admissionRequest(request, operation, object),
  };
}

function admissionRequest(request: JsonMap, operation: string, object: Json): AdmissionRequest {
  const kind = map(request['kind']);
  const user = map(request['userInfo']);
  const groups = Array.isArray(user['groups']) ? user['groups'].filter((g) => typeof g === 'string') : [];
  const metadata = map(map(object)['metadata']);
  return {
    kind: { group: text(kind['group']), version: text(kind['version']), kind: text(kind['kind']) },
    resource: text(map(request['resource'])['resource']),
    name: text(request['name']) || text(metadata['name']),
    namespace: text(request['namespace']),
    operation,
    user: { username: text(user['username']), groups },
    object: withKind(object, kind),
  };
}

/** Objects inside a review carry their kind; where one does not, the request says it. */
function withKind(object: Json, kind: JsonMap): Json {
  return isMap(object) && typeof object['kind'] !== 'string'
    ? { ...object, kind: text(kind['kind']) }
    : object;
}

/** The whole AdmissionReview of an answer. Patch and patch type appear together or not at all. */
export function answerBody(uid: string, answer: ReviewAnswer): object {
  const { patch, warnings, auditAnnotations } = answer;
  return {
    apiVersion: API_VERSION,
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: answer.allowed,
      ...(answer.status === undefined ? {} : { status: { status: 'Failure', ...answer.status } }),
      ...(patch === undefined || patch.length === 0
        ? {}
        : { patchType: 'JSONPatch', patch: toBase64(utf8(JSON.stringify(patch))) }),
      ...(warnings === undefined || warnings.length === 0 ? {} : { warnings: warnings.map(warningLine) }),
      ...(auditAnnotations === undefined ? {} : { auditAnnotations }),
    },
  };
}

/** The API server cuts longer warnings itself, without saying so. */
const WARNING_CHARS_MAX = 250;

function warningLine(warning: string): string {
  const line = warning.replace(/\s+/g, ' ').trim();
  return line.length <= WARNING_CHARS_MAX ? line : `${line.slice(0, WARNING_CHARS_MAX - 1)}…`;
}

/** `?timeout=10s` of the API server, in milliseconds. */
export function timeoutMsOf(query: string | undefined, defaultSeconds: number): number {
  const match = /^([0-9]{1,2})s$/.exec(query ?? '');
  const seconds = match === null ? defaultSeconds : Number(match[1]);
  return Math.min(Math.max(seconds, 1), 30) * 1000;
}
