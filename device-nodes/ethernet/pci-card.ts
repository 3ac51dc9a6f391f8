/**
 * A PCI function that is an Ethernet card: its registers are at ports and, the same, in memory.
 */
import { type ConfigSpaceDefinition, pciCommand, pciStatus } from '../pci/mod.ts'
import type { Region } from '../sdk/mod.ts'

/** Numbers of its regions. */
export const CARD_REGION = { CONFIG: 0, IO: 1, MEMORY: 2 } as const

const ETHERNET_CLASS_CODE = 0x020000

export interface PciCard {
  vendorId: number
  deviceId: number
  revisionId: number
  subsystemVendorId?: number
  subsystemId?: number
  registerBytes: number
  /** How long it wants the bus, and how soon, in units of 250 ns. */
  minimumGrant: number
  maximumLatency: number
}

export function cardFunction({ registerBytes, minimumGrant, maximumLatency, ...ids }: PciCard) {
  return {
    ...ids,
    classCode: ETHERNET_CLASS_CODE,
    status: pciStatus.FAST_BACK_TO_BACK | pciStatus.DEVSEL_MEDIUM,
    commandWritable:
      pciCommand.IO_SPACE |
      pciCommand.MEMORY_SPACE |
      pciCommand.BUS_MASTER |
      pciCommand.PARITY_ERROR_RESPONSE |
      pciCommand.SERR_ENABLE,
    interruptPin: 1,
    bars: [
      { index: 0, kind: 'io', size: registerBytes, region: CARD_REGION.IO },
      { index: 1, kind: 'memory', size: registerBytes, region: CARD_REGION.MEMORY },
    ],
    registers: [
      { name: 'MIN_GNT', offset: 0x3e, size: 1, initial: minimumGrant },
      { name: 'MAX_LAT', offset: 0x3f, size: 1, initial: maximumLatency },
    ],
  } as const satisfies ConfigSpaceDefinition
}

export function cardRegions(registerBytes: number): readonly Region[] {
  return [
    { kind: 'registers', name: 'config', size: 256, endian: 'little' },
    { kind: 'registers', name: 'io', size: registerBytes, endian: 'little' },
    { kind: 'registers', name: 'memory', size: registerBytes, endian: 'little' },
  ]
}
