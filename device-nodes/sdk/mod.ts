/**
 * What a device author imports: the bus's device contract, and the few helpers that the devices here share.
 */
export type {
  AccessRequest,
  AccessSize,
  Device,
  DeviceIo,
  DeviceModel,
  DeviceState,
  MapMode,
  MemoryRegion,
  NodeName,
  Payload,
  Region,
  RegisterRegion,
  Request,
  Sequence,
  StorageRegion,
  Vt,
  WindowRegion,
} from '../../bus/mod.ts'
export { copyOf, NEVER, StateError, SYSTEM_MEMORY, uncleared } from '../../bus/mod.ts'
export * from './bits.ts'
export * from './decoder.ts'
export * from './rate.ts'
export * from './registers.ts'
export * from './sequence.ts'
export * from './state.ts'
