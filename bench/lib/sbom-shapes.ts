/**
 * Images of shapes that would take memory from a reader that holds on to something: a huge layer, many layers, a huge
 * file, a million names, many packages, archives in archives. Made of few pieces that are compressed once and repeated, which a gzip stream
 * allows: its members follow each other.
 */
import { closeSync, createReadStream, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Hasher, hasher } from '#base/crypto';
import { digestFromBytes } from '#base/digest';
import { buildManifest, type Descriptor, describe } from '#formats/oci';
import { createLayout, type Layout } from '#oci';
import { ARCHIVES_DEEP, jarsOfNoise, jarsOfZeros } from './sbom-archives.ts';

const MiB = 1024 * 1024;
const PIECE = 32 * MiB;

export interface Shape {
  readonly name: string;
  /** `oci:DIR:tag`. */
  readonly image: string;
  /** Packages that must be found. */
  readonly packages: number;
  readonly entries: number;
  /** Uncompressed. */
  readonly bytes: number;
}

/** One tar header; the size of up to 8 GiB. */
function header(path: string, size: number, mode = '0000644'): Buffer {
  const block = Buffer.alloc(512);
  block.write(path, 0, 100, 'utf8');
  block.write(`${mode}\0`, 100, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  block.write('        0', 148, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function file(path: string, text: string | Uint8Array): Buffer {
  const body = Buffer.from(text);
  return Buffer.concat([header(path, body.length), body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

const npmManifest = (name: string): Buffer =>
  file(`app/node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0' }));

/** A layer that is written as it grows. */
class LayerFile {
  readonly #path: string;
  readonly #handle: number;
  readonly #inside: Hasher = hasher('sha256');
  readonly #outside: Hasher = hasher('sha256');
  #stored = 0;
  bytes = 0;

  constructor(path: string) {
    this.#path = path;
    this.#handle = openSync(path, 'w');
  }

  add(bytes: Uint8Array, times = 1, member: Uint8Array = gzipSync(bytes, { level: 1 })): void {
    for (let i = 0; i < times; i++) {
      this.#inside.update(bytes);
      this.#outside.update(member);
      writeSync(this.#handle, member);
      this.bytes += bytes.length;
      this.#stored += member.length;
    }
  }

  async finish(layout: Layout): Promise<{ readonly layer: Descriptor; readonly diffId: string }> {
    this.add(Buffer.alloc(1024));
    closeSync(this.#handle);
    const digest = digestFromBytes('sha256', this.#outside.finish());
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
    const layer: Descriptor = { mediaType, digest, size: this.#stored, annotations: new Map() };
    await layout.putBlob(layer, () => createReadStream(this.#path));
    rmSync(this.#path);
    return { layer, diffId: digestFromBytes('sha256', this.#inside.finish()) };
  }
}

interface Plan {
  readonly layers: number;
  readonly packages: number;
  readonly entries: number;
  readonly fill: (layer: LayerFile, index: number) => void;
}

/** The start of this very program: as compressible as programs are. */
function programBytes(): Uint8Array {
  const bytes = new Uint8Array(PIECE);
  const handle = openSync(process.execPath, 'r');
  readSync(handle, bytes, 0, PIECE, 0);
  closeSync(handle);
  return bytes;
}

const LARGE = 32;
const HUGE = 48;
const NAMES = 1_000_000;
const BATCH = 10_000;
const PACKAGES = 10_000;

const ARCHIVE_LAYERS = 10;

/** Every layer has one, and the threads look at theirs at the same time. */
function archives(jar: Uint8Array): Plan {
  return {
    layers: ARCHIVE_LAYERS,
    // The archives are the same in all of them.
    packages: ARCHIVE_LAYERS + ARCHIVES_DEEP,
    entries: ARCHIVE_LAYERS * 2,
    fill: (layer, index) => {
      layer.add(npmManifest(`p${index}`));
      layer.add(file(`app/lib/depth-1-${index}.jar`, jar));
    },
  };
}

/** Gigabytes are sums of pieces of 32 MiB. */
function plans(): Readonly<Record<string, Plan>> {
  const program = programBytes();
  const part = program.subarray(0, 4 * MiB);
  const partMember = gzipSync(part, { level: 1 });
  return {
    'one layer of 1 GiB': {
      layers: 1,
      packages: 1,
      entries: LARGE + 1,
      fill: (layer) => {
        layer.add(npmManifest('a'));
        layer.add(Buffer.concat([header('usr/lib/large.so', PIECE, '0000755'), program]), LARGE);
      },
    },
    'one file of 1.5 GiB': {
      layers: 1,
      packages: 1,
      entries: 2,
      fill: (layer) => {
        layer.add(npmManifest('a'));
        layer.add(header('usr/bin/huge', HUGE * PIECE, '0000755'));
        layer.add(program, HUGE);
      },
    },
    '120 layers': {
      layers: 120,
      packages: 120,
      entries: 240,
      fill: (layer, index) => {
        layer.add(npmManifest(`p${index}`));
        layer.add(header(`usr/lib/part-${index}.so`, part.length, '0000755'));
        layer.add(part, 1, partMember);
      },
    },
    'a million entries': {
      layers: 1,
      packages: 1,
      entries: NAMES + 1,
      fill: (layer) => {
        layer.add(npmManifest('a'));
        for (let at = 0; at < NAMES; at += BATCH) {
          const names = Array.from({ length: BATCH }, (_, i) =>
            header(`srv/data/${(at + i) % 997}/${at + i}.dat`, 0),
          );
          layer.add(Buffer.concat(names));
        }
      },
    },
    '10,000 packages': {
      layers: 1,
      packages: PACKAGES,
      entries: PACKAGES,
      fill: (layer) => {
        layer.add(Buffer.concat(Array.from({ length: PACKAGES }, (_, i) => npmManifest(`p${i}`))));
      },
    },
    'large archives in each other': archives(jarsOfNoise()),
    'archives in each other that pack to nearly nothing': archives(jarsOfZeros()),
  };
}

/** Makes one after the other; each is gone when the next is asked for. */
export async function* makeShapes(folder: string): AsyncGenerator<Shape> {
  for (const [name, plan] of Object.entries(plans())) {
    const at = join(folder, 'shape');
    mkdirSync(at, { recursive: true });
    const layout = await createLayout(at);
    const layers: Descriptor[] = [];
    const diffIds: string[] = [];
    let bytes = 0;
    for (let i = 0; i < plan.layers; i++) {
      const made = new LayerFile(join(folder, 'layer.gz'));
      plan.fill(made, i);
      const { layer, diffId } = await made.finish(layout);
      bytes += made.bytes;
      layers.push(layer);
      diffIds.push(diffId);
    }
    const rootfs = { type: 'layers', diff_ids: diffIds };
    const text = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }));
    const config = describe(text, 'application/vnd.oci.image.config.v1+json');
    await layout.putBlob(config, async function* () {
      yield text;
    });
    await layout.putManifest(buildManifest({ config, layers }), { tag: 'bench' });
    const { packages, entries } = plan;
    yield { name, image: `oci:${at}:bench`, packages, entries, bytes };
    rmSync(at, { recursive: true });
  }
}
