/**
 * A builder in the process of the command, signing through a running development stack. Control plane and
 * caller are the same person here, so it is never declared hosted; what its sandbox closes is measured all the
 * same.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fail } from '#base/reason';
import { type BuilderPort, readRecord } from '#flows/build-image';
import type { Registry } from '#oci';
import type { BackendName, Builder, CapabilityReport } from '#services/builder';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';
import { loadTrustFor, type TrustFlags } from './trust-options.ts';
import { packageVersion } from './version.ts';

export interface LocalBuilderFlags extends TrustFlags {
  readonly backend: string;
  readonly builderUri: string;
}

export interface LocalBuilder {
  readonly port: BuilderPort;
  readonly report: CapabilityReport;
  close(): Promise<void>;
}

const backends: ReadonlySet<string> = new Set(['auto', 'userns', 'bwrap', 'uid', 'none']);

/** Throws WB-1119 when the back end that is named does not work here, WB-1305 when no stack is named. */
export async function localBuilder(
  flags: LocalBuilderFlags,
  roots: {
    readonly source: readonly string[];
    readonly inputs: readonly string[];
    readonly mirrors: Readonly<Record<string, string>>;
  },
  registry: Registry,
  context: CliContext,
): Promise<LocalBuilder> {
  const stackDir = flags.stack ?? context.env['WAYBILL_STACK'];
  if (stackDir === undefined || !backends.has(flags.backend)) {
    const [expected, actual] =
      stackDir === undefined
        ? ['--stack DIR or --builder URL', 'neither']
        : [`--backend ${[...backends].join(', ')}`, flags.backend];
    throw fail(R.optionValue, { expected, actual });
  }
  const { attachAsReferrer, createBuilder } = await import('#services/builder');
  const { createLogger } = await import('#platform/telemetry');
  const { clock, random } = context;
  const folder = await mkdtemp(join(tmpdir(), 'waybill-build-'));
  try {
    const builder = await createBuilder(
      {
        baseUri: flags.builderUri,
        dataDir: join(resolve(context.cwd, stackDir), 'builder'),
        workDir: folder,
        backend: flags.backend as BackendName | 'auto',
        // One person's machine: where nothing isolates, the build still runs and says so.
        noneAllowed: true,
        sourceRoots: roots.source,
        inputRoots: roots.inputs,
        mirrors: roots.mirrors,
        version: packageVersion(),
      },
      {
        images: registry,
        attach: attachAsReferrer(clock),
        ...(await identityOf(flags, resolve(context.cwd, stackDir), context)),
        clock,
        random,
        log: createLogger('builder', 'error'),
      },
    );
    return { port: portOf(builder), report: builder.report, close: () => closeAll(builder, folder) };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function closeAll(builder: Builder, folder: string): Promise<void> {
  await builder.close();
  await rm(folder, { recursive: true, force: true });
}

/** Tokens of the stack's development issuer, signatures by its services. */
async function identityOf(flags: LocalBuilderFlags, stackDir: string, context: CliContext) {
  const [{ fetchDevelopmentToken, requireState }, { servicesFrom, statementSigner }, trust] =
    await Promise.all([
      import('#stack'),
      import('#sign'),
      loadTrustFor({ ...flags, stack: stackDir }, context),
    ]);
  const { clock, random, transport } = context;
  const { origins } = await requireState(stackDir);
  if (trust.signingConfig === undefined) {
    throw fail(R.optionValue, { expected: 'a signing config', actual: `${trust.origin} has none` });
  }
  const services = servicesFrom(trust.signingConfig, { now: clock.now(), random });
  return {
    signer: statementSigner({ services, trustedRoot: trust.trustedRoot, transport, clock, random }),
    tokens: {
      mint: ({ subject, ...claims }: { readonly subject: string }) =>
        fetchDevelopmentToken(origins, { realm: 'workload', sub: subject, claims }, transport),
    },
  };
}

const portOf = (builder: Builder): BuilderPort => {
  const record = (status: object) => readRecord(Buffer.from(JSON.stringify(status)));
  return {
    submit: async (request) => record(await builder.submit(request)),
    status: async (id) => record(await builder.status(id)),
    log: (id) => builder.log(id),
  };
};
