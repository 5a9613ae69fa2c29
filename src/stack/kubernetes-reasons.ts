import { defineReasons } from '#base/reason';

export const R = defineReasons({
  webhookAddress: {
    code: 'WB-1220',
    check: 'kubernetes.address',
    side: 'usage',
    summary: 'An API server could not reach a webhook at the address given.',
    hint: 'give https://HOST:PORT[/PATH] without a query, or NAMESPACE/NAME[:PORT] of a Service',
  },
  webhookCa: {
    code: 'WB-1221',
    check: 'kubernetes.ca',
    side: 'usage',
    summary: 'The file for caBundle does not hold certificates an API server can use now.',
    hint: 'give the file that `waybill serve admission --ca-out FILE` wrote',
  },
  webhookSetting: {
    code: 'WB-1222',
    check: 'kubernetes.setting',
    side: 'usage',
    summary: 'An API server would refuse this setting of a webhook configuration.',
    hint: 'names are DNS labels of lower-case letters, digits and dashes; timeouts are 1 to 30 seconds',
  },
});
