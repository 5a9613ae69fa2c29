/** Services of Sigstore are written with go-openapi: what it answers where a request does not fit its description. */

/** Numbers of go-openapi for parameters that do not fit (its errors package); the status is 422 for each. */
export const openapiFaults = {
  type: 601,
  required: 602,
  tooLong: 603,
  pattern: 605,
  enumeration: 606,
  minimum: 609,
  maxItems: 611,
  minItems: 612,
} as const;
