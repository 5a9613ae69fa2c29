/** A certificate as it is kept in a file: PEM, the first of what stands there. */
import { utf8Text } from '#base/bytes';
import { reason } from '#base/reason';
import { attempt, err, type Result, unwrap } from '#base/result';
import { R } from './crypto-reasons.ts';
import { pemDecode } from './pem.ts';
import { type Certificate, parseCertificate } from './x509.ts';

/** `place` says in words which file it is. Refusals: WB-120, which names it and what is wrong. */
export function parseCertificatePem(pem: Uint8Array, place: string): Result<Certificate> {
  const read = attempt(() =>
    unwrap(parseCertificate(unwrap(pemDecode(utf8Text(pem), 'CERTIFICATE'))[0].der)),
  );
  if (read.ok) return read;
  const { expected, actual } = read.error;
  return err(reason(R.pem, { expected: `the certificate in ${place}: ${expected}`, actual }));
}
