/** Signs statements for services that hold a token for each: the builder, the promotion gate. */
import type { Secret } from '#base/secret';
import { INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import { createSigner, type SignerOptions } from './signer.ts';

export interface StatementSigner {
  /** One in-toto statement → the bytes of a verified bundle, by a certificate for the token's identity. */
  sign(statement: Uint8Array, identity: { readonly token: Secret }): Promise<Uint8Array>;
}

export function statementSigner(options: Omit<SignerOptions, 'identity'>): StatementSigner {
  return {
    sign: async (statement, { token }) => {
      const signer = createSigner({ ...options, identity: { kind: 'token', token } });
      const content = { kind: 'dsse', payloadType: INTOTO_PAYLOAD_TYPE, payload: statement } as const;
      return (await signer.sign(content)).bundle;
    },
  };
}
