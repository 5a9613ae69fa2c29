/** The page of a stack. */
export { ImageRecords } from './images.ts';
export { CONTENT_SECURITY_POLICY, Page, registerPage } from './routes.ts';
export type {
  AdmissionView,
  ExpiryView,
  LogView,
  Overview,
  PageDeps,
  SeenImage,
  StackView,
  StationView,
} from './view.ts';
