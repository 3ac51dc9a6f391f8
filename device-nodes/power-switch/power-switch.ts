/**
 * A switch by which a bare-metal program turns its machine off or resets it. It stands for no real chip.
 *
 * One 32-bit register in the CPU's byte order: writing 0x0ff turns the machine off, 0x042 resets it; it reads 0.
 */
import {
  type AccessSize,
  accessDecoder,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  hex,
  NEVER,
  type Region,
  StateLayout,
} from '../sdk/mod.ts'

const SWITCH_OFF = 0x0ff
const SWITCH_RESET = 0x042

const layout = new StateLayout('power-switch', {})

class PowerSwitch implements Device {
  reset(_io: DeviceIo): void {
    // There is no state.
  }

  read(_region: number, _offset: number, _size: AccessSize, io: DeviceIo): number {
    io.validUntil(NEVER)
    return 0
  }

  write(_region: number, _offset: number, _size: AccessSize, value: number, io: DeviceIo): void {
    if (value === SWITCH_OFF) io.output(new TextEncoder().encode('off'))
    else if (value === SWITCH_RESET) io.output(new TextEncoder().encode('reset'))
    else io.unhandled(`power switch: ${hex(value)} is neither off nor reset`)
  }

  save(): DeviceState {
    return layout.save({})
  }

  restore(state: DeviceState): void {
    layout.restore(state)
  }
}

const regions: readonly Region[] = [
  { kind: 'registers', name: 'registers', size: 4, minBytes: 4, maxBytes: 4, endian: 'native' },
]

const words = (value: number) => (value === SWITCH_OFF ? 'off' : value === SWITCH_RESET ? 'reset' : hex(value))

/** Its outputs `off` and `reset` are the machine's. */
export const powerSwitch: DeviceModel<Record<string, never>> = {
  type: 'power-switch',
  stateVersion: 1,
  regions: () => regions,
  inputs: [],
  outputs: [],
  create: () => new PowerSwitch(),
  decoder: () =>
    accessDecoder(
      () => ({ register: 'SWITCH' }),
      () => ({ register: 'SWITCH', words }),
    ),
}
