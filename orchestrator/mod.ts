/**
 * Sessions over a machine: live runs, replays, and comparisons of recordings.
 */
export type { CheckpointPolicy } from './checkpointer.ts'
export { CpuReplay, type EntryListener, type ReplaySlice } from './cpu-replay.ts'
export { DeviceReplay, NoSuchDevice, needsMemory } from './device-replay.ts'
export { diff } from './diff.ts'
export { deviceDigests, runDigest, stateDigest } from './digest.ts'
export { CONTEXT_ENTRIES, type Divergence, DivergenceError, isCut, type Journal } from './divergence.ts'
export { FullReplay, type FullReplayOptions } from './full-replay.ts'
export { Alarm, type HostOptions, type Progress } from './host-loop.ts'
export { type LiveOptions, type RunResult, runLive } from './live.ts'
export {
  type MachineModule,
  type MachineSpec,
  type MakeMachine,
  nodeNames,
  type RecordedMachine,
} from './machine-spec.ts'
export { PartThreads, type SplitOptions } from './parallel-replay.ts'
export {
  MachineMismatch,
  type ReplayMode,
  type ReplayOptions,
  type ReplayResult,
  replay,
} from './replay.ts'
export type { ReplayPosition } from './runner.ts'
export type { RunSummary } from './summary.ts'
