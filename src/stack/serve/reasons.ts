import { defineReasons } from '#base/reason';

export const R = defineReasons({
  settings: {
    code: 'WB-1212',
    check: 'station.settings',
    side: 'usage',
    summary: 'The settings of a station are not complete or contradict each other.',
    hint: 'see waybill serve STATION --help, and docs/operate.md',
  },
  otherKey: {
    code: 'WB-1213',
    check: 'station.key',
    side: 'environment',
    class: 'untrusted-root',
    summary: 'A key or certificate of a station is missing, or not the one that was published.',
    hint:
      'bring the files back from their backup; a wanted change of keys is waybill stack rotate, or for a station of ' +
      'its own a new generation in another data directory',
    exit: 3,
  },
  dataDir: {
    code: 'WB-1214',
    check: 'station.dataDir',
    side: 'environment',
    class: 'io',
    summary: 'A data directory belongs to another station, another user, or another version of waybill.',
    hint: 'give the directory of this station, owned and writable by its user alone; nothing was changed',
    exit: 3,
  },
  clock: {
    code: 'WB-1215',
    check: 'station.clock',
    side: 'environment',
    class: 'time',
    summary: 'The clock is behind a time this station has seen.',
    hint: 'set the clock; a machine that really was ahead must wait until its last time has passed',
    exit: 3,
  },
  quota: {
    code: 'WB-1216',
    check: 'station.quota',
    side: 'environment',
    class: 'limit',
    summary: 'A tenant asked for more than its quota.',
    hint: 'wait for the time Retry-After names, or ask the operator for a larger quota',
    status: 429,
  },
  tenant: {
    code: 'WB-1217',
    check: 'station.tenant',
    side: 'input',
    class: 'auth',
    summary: 'A request came from nobody this station knows.',
    hint: 'send the API key, or an identity token of a tenant, as Authorization: Bearer, or show its certificate',
    status: 401,
  },
  notFollowed: {
    code: 'WB-1223',
    check: 'station.log',
    side: 'environment',
    class: 'unavailable',
    summary: 'A log that the audit station follows was not read yet, or is not followed any further.',
    hint: 'see its log lines and /readyz; a log that contradicts its checkpoints is to be looked at by hand: waybill log fsck URL',
    status: 503,
  },
});
