/** What is inside an image: layers → packages, and what could not be read. */
export {
  type Catalogue,
  type CatalogueOptions,
  catalogueImage,
  catalogueLayers,
  type ImageInput,
} from './catalogue.ts';
export { cataloguers } from './cataloguers/index.ts';
export { type LayerFacts, type LayerInput, readLayer } from './layer.ts';
export { R as sbomReasons } from './reasons.ts';
export { type Needle, NeedleScan } from './scan-bytes.ts';
export { type BodySink, type OnEntry, type TarEntry, TarWalker } from './tar.ts';
export { ImageTree, LayerChanges } from './tree.ts';
export type { Cataloguer, FoundPackage, ImageFile, ImageFiles, StreamScan } from './types.ts';
