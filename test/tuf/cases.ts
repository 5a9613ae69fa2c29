/** Every case of the TUF client. */
import { basicCases } from './cases-basic.ts';
import { delegationCases } from './cases-delegations.ts';
import { downloadCases } from './cases-download.ts';
import { expiryCases } from './cases-expiry.ts';
import { hostileCases } from './cases-hostile.ts';
import { keyCases } from './cases-keys.ts';
import { rollbackCases } from './cases-rollback.ts';
import { rotationCases } from './cases-rotation.ts';
import { writtenCases } from './cases-written.ts';

export const tufCases = [
  ...basicCases,
  ...expiryCases,
  ...downloadCases,
  ...keyCases,
  ...rollbackCases,
  ...delegationCases,
  ...rotationCases,
  ...writtenCases,
  ...hostileCases,
];
