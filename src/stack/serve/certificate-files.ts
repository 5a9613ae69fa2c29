import { type LoadedTls, readTlsFiles, type TlsFiles } from '#platform/server-tls';
import type { Logger } from '#platform/telemetry';

/** A certificate and the authorities of clients, that are read again when its files change. */
export class CertificateFiles {
  readonly #files: TlsFiles;
  readonly #log: Logger;
  current: LoadedTls | undefined;

  constructor(files: TlsFiles, log: Logger) {
    this.#files = files;
    this.#log = log;
  }

  get notAfter(): number {
    return this.current?.notAfter ?? 0;
  }

  async open(): Promise<LoadedTls> {
    this.current = await readTlsFiles(this.#files);
    return this.current;
  }

  /** True when there is another one. Throws WB-216, WB-219 and keeps the one before. */
  async refresh(): Promise<boolean> {
    const next = await readTlsFiles(this.#files);
    const { current } = this;
    const isSame = next.cert === current?.cert && next.key === current.key;
    if (isSame && next.clientCa === current.clientCa) return false;
    this.current = next;
    this.#log.info({ notAfter: next.notAfter }, 'certificate changed');
    return true;
  }
}
