/**
 * The PIIX4's SMBus host controller (82371AB datasheet, section 7.3) on a bus where no address is acknowledged: each
 * transaction ends at once with DEV_ERR. Its interrupt is not modelled: hosts that start one without a device poll.
 */
import type { MaskedRegister, MaskedRegisters } from '../pci/mod.ts'

export const SMBUS_BYTES = 16

const SMBHSTSTS = 0x00
const SMBHSTCNT = 0x02

/** Bits of SMBHSTSTS. */
const hostStatus = {
  HOST_BUSY: 1 << 0,
  INTER: 1 << 1,
  DEV_ERR: 1 << 2,
  BUS_ERR: 1 << 3,
  FAILED: 1 << 4,
} as const
/** Bits of SMBHSTCNT. */
const hostControl = { INTEREN: 1 << 0, KILL: 1 << 1, SMB_CMD_PROT: 7 << 2, START: 1 << 6 } as const

export const smbusRegisters: readonly MaskedRegister[] = [
  {
    name: 'SMBHSTSTS',
    offset: SMBHSTSTS,
    size: 1,
    clearable: hostStatus.INTER | hostStatus.DEV_ERR | hostStatus.BUS_ERR | hostStatus.FAILED,
  },
  { name: 'SMBSLVSTS', offset: 0x01, size: 1, clearable: 0x3c },
  {
    name: 'SMBHSTCNT',
    offset: SMBHSTCNT,
    size: 1,
    writable: hostControl.INTEREN | hostControl.KILL | hostControl.SMB_CMD_PROT | hostControl.START,
  },
  { name: 'SMBHSTCMD', offset: 0x03, size: 1, writable: 0xff },
  { name: 'SMBHSTADD', offset: 0x04, size: 1, writable: 0xff },
  { name: 'SMBHSTDAT0', offset: 0x05, size: 1, writable: 0xff },
  { name: 'SMBHSTDAT1', offset: 0x06, size: 1, writable: 0xff },
  { name: 'SMBBLKDAT', offset: 0x07, size: 1, writable: 0xff },
  { name: 'SMBSLVCNT', offset: 0x08, size: 1, writable: 0x0f },
  { name: 'SMBSHDWCMD', offset: 0x09, size: 1 },
  { name: 'SMBSLVEVT', offset: 0x0a, size: 2, writable: 0xffff },
  { name: 'SMBSLVDAT', offset: 0x0c, size: 2 },
]

/** Runs the transaction that a write may have started. START reads 0. */
export function smbusWritten(registers: MaskedRegisters, offset: number, size: number): void {
  if (offset > SMBHSTCNT || offset + size <= SMBHSTCNT) return
  const control = registers.read(SMBHSTCNT, 1)
  if ((control & hostControl.START) === 0) return
  registers.put(SMBHSTCNT, 1, control & ~hostControl.START)
  registers.put(SMBHSTSTS, 1, registers.read(SMBHSTSTS, 1) | hostStatus.DEV_ERR)
}
