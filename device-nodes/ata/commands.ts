/**
 * ATA commands: what each does to a disk, for the disk itself and for whoever reads a log.
 *
 * ATA/ATAPI-7 (T13/1532D), volume 1, chapter 6; DMA and FUA commands of 48 bits are of ATA/ATAPI-6 and 7.
 */

/** How a command's data go. `pio`: through the data port, a block of sectors at a time. */
export type Transfer = 'none' | 'pioIn' | 'pioOut' | 'dmaIn' | 'dmaOut'

export interface AtaCommand {
  name: string
  transfer: Transfer
  /** What it is about: sectors of the medium, the drive's own data, or no data at all. */
  about: 'sectors' | 'drive' | 'none'
  /** Addresses and counts of 48 and 16 bits: the task file's registers are two deep. */
  isExtended?: true
  /** As many sectors an interrupt as SET MULTIPLE MODE said. */
  isMultiple?: true
}

const sectors = (name: string, transfer: Transfer): AtaCommand => ({ name, transfer, about: 'sectors' })
const extended = (name: string, transfer: Transfer): AtaCommand => ({ ...sectors(name, transfer), isExtended: true })
const multiple = (command: AtaCommand): AtaCommand => ({ ...command, isMultiple: true })
const plain = (name: string): AtaCommand => ({ name, transfer: 'none', about: 'none' })

/** By opcode. What is not here a disk aborts. */
export const ATA_COMMANDS: ReadonlyMap<number, AtaCommand> = new Map([
  [0x10, plain('RECALIBRATE')],
  [0x20, sectors('READ SECTORS', 'pioIn')],
  [0x21, sectors('READ SECTORS (no retry)', 'pioIn')],
  [0x24, extended('READ SECTORS EXT', 'pioIn')],
  [0x25, extended('READ DMA EXT', 'dmaIn')],
  [0x29, multiple(extended('READ MULTIPLE EXT', 'pioIn'))],
  [0x30, sectors('WRITE SECTORS', 'pioOut')],
  [0x31, sectors('WRITE SECTORS (no retry)', 'pioOut')],
  [0x34, extended('WRITE SECTORS EXT', 'pioOut')],
  [0x35, extended('WRITE DMA EXT', 'dmaOut')],
  [0x39, multiple(extended('WRITE MULTIPLE EXT', 'pioOut'))],
  [0x3d, extended('WRITE DMA FUA EXT', 'dmaOut')],
  [0x40, sectors('READ VERIFY SECTORS', 'none')],
  [0x41, sectors('READ VERIFY SECTORS (no retry)', 'none')],
  [0x42, extended('READ VERIFY SECTORS EXT', 'none')],
  [0x70, plain('SEEK')],
  [0x90, plain('EXECUTE DEVICE DIAGNOSTIC')],
  [0x91, plain('INITIALIZE DEVICE PARAMETERS')],
  [0xc4, multiple(sectors('READ MULTIPLE', 'pioIn'))],
  [0xc5, multiple(sectors('WRITE MULTIPLE', 'pioOut'))],
  [0xc6, plain('SET MULTIPLE MODE')],
  [0xc8, sectors('READ DMA', 'dmaIn')],
  [0xc9, sectors('READ DMA (no retry)', 'dmaIn')],
  [0xca, sectors('WRITE DMA', 'dmaOut')],
  [0xcb, sectors('WRITE DMA (no retry)', 'dmaOut')],
  [0xce, multiple(extended('WRITE MULTIPLE FUA EXT', 'pioOut'))],
  [0xe0, plain('STANDBY IMMEDIATE')],
  [0xe1, plain('IDLE IMMEDIATE')],
  [0xe2, plain('STANDBY')],
  [0xe3, plain('IDLE')],
  [0xe5, plain('CHECK POWER MODE')],
  [0xe6, plain('SLEEP')],
  [0xe7, plain('FLUSH CACHE')],
  [0xea, plain('FLUSH CACHE EXT')],
  [0xec, { name: 'IDENTIFY DEVICE', transfer: 'pioIn', about: 'drive' }],
  [0xef, plain('SET FEATURES')],
])
