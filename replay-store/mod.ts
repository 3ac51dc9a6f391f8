export {
  CheckpointEncoder,
  type CheckpointFile,
  type CheckpointPosition,
  listCheckpoints,
  readCheckpoint,
  type StoredCheckpoint,
} from './checkpoint.ts'
export { ENTRY_VERSION, KIND, KINDS, NodeTable, REASONS } from './codec.ts'
export type { RecordedDrive } from './drive.ts'
export * from './errors.ts'
export { hostFiles, type StoreFiles } from './files.ts'
export { FlatEntry } from './flat-entry.ts'
export { JournalHasher, sha256 } from './identity.ts'
export { hotCodePath } from './layout.ts'
export {
  FORMAT_VERSION,
  type ImageRecord,
  type Manifest,
  type ManifestInput,
  type RecordingEnd,
  type StoredEnd,
} from './manifest.ts'
export { type PlacedMessage, Recording, type Truncation } from './recording.ts'
export { type DriveImage, type Image, RecordingWriter, type WriterOptions } from './recording-writer.ts'
export { type EntryEdit, rewriteRecording } from './rewrite.ts'
