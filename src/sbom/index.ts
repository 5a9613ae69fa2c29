/** What is inside an image: layers → packages, and what could not be read. */
export {
  type Catalogue,
  type CatalogueOptions,
  catalogueImage,
  catalogueLayers,
  type ImageInput,
  type Scope,
  scopes,
} from './catalogue.ts';
export { cataloguers } from './cataloguers/index.ts';
export { catalogueFolder } from './folder.ts';
export { type LayerFacts, type LayerInput, readLayer } from './layer.ts';
export { layerCache } from './layer-cache.ts';
export { groupedList, NameSet, ownedLines } from './owned.ts';
export type { LayerCache, LayerReader, LayerReading } from './read-layers.ts';
export { R as sbomReasons } from './reasons.ts';
export { type Needle, NeedleScan } from './scan-bytes.ts';
export { excluder, parseScope, parseThreads, type SourceKind, selectCataloguers } from './select.ts';
export { type BodySink, type OnEntry, type TarEntry, TarWalker } from './tar.ts';
export { threadedReader, threadsFor } from './threads.ts';
export { ImageTree, LayerChanges } from './tree.ts';
export type { Cataloguer, FoundPackage, ImageFile, ImageFiles, StreamScan } from './types.ts';
