/**
 * The GT-64120's own PCI function (bus 0, device 0, function 0), as its guest sees it in configuration cycles.
 *
 * GT-64120 datasheet, revision 1.4, section 19.16 ("PCI Configuration, Function 0"). Base address registers take what
 * is written within their reset sizes; no PCI master looks at them.
 */
import { ConfigSpace, pciCommand, pciHeader, pciStatus } from '../pci/mod.ts'

const PREFETCHABLE = 8
const IO_SPACE = 1
/** Sizes of the memory windows as the bank size registers hold them after reset. */
const BANK_16_MIB = 0xff000000
const BANK_32_MIB = 0xfe000000
const INTERNAL_4_KIB = 0xfffff000

export function gtHostBridge(): ConfigSpace {
  return new ConfigSpace({
    vendorId: 0x11ab,
    deviceId: 0x4620,
    revisionId: 0x10,
    classCode: 0x060000,
    status: pciStatus.FAST_BACK_TO_BACK | pciStatus.DEVSEL_MEDIUM,
    command: 0,
    commandWritable:
      pciCommand.IO_SPACE |
      pciCommand.MEMORY_SPACE |
      pciCommand.BUS_MASTER |
      pciCommand.MEMORY_WRITE_AND_INVALIDATE |
      pciCommand.PARITY_ERROR_RESPONSE |
      pciCommand.SERR_ENABLE,
    interruptPin: 1,
    registers: [
      { name: 'CacheLine', offset: pciHeader.CACHE_LINE_SIZE, size: 1, writable: 0xff },
      { name: 'Latency', offset: pciHeader.LATENCY_TIMER, size: 1, writable: 0xff },
      { name: 'SCS[1:0]* BAR', offset: 0x10, size: 4, initial: 0x00000000 | PREFETCHABLE, writable: BANK_16_MIB },
      { name: 'SCS[3:2]* BAR', offset: 0x14, size: 4, initial: 0x01000000 | PREFETCHABLE, writable: BANK_16_MIB },
      { name: 'CS[2:0]* BAR', offset: 0x18, size: 4, initial: 0x1c000000, writable: BANK_32_MIB },
      { name: 'CS[3]* & Boot CS* BAR', offset: 0x1c, size: 4, initial: 0x1f000000, writable: BANK_16_MIB },
      { name: 'Memory mapped Internal BAR', offset: 0x20, size: 4, initial: 0x14000000, writable: INTERNAL_4_KIB },
      {
        name: 'I/O mapped Internal BAR',
        offset: 0x24,
        size: 4,
        initial: 0x14000000 | IO_SPACE,
        writable: INTERNAL_4_KIB,
      },
    ],
  })
}
