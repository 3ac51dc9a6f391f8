/**
 * Registers of the PIIX4's power management function: configuration space (82371AB datasheet, section 7.1) and the
 * I/O block at PMBA (section 7.2).
 */
import type { MaskedRegister } from '../pci/mod.ts'

/** Configuration registers that decide where the I/O blocks are. */
export const pmConfig = {
  PMBA: 0x40,
  PMBA_ADDRESS: 0xffc0,
  PMREGMISC: 0x80,
  PMREGMISC_PMIOSE: 1 << 0,
  SMBBA: 0x90,
  SMBBA_ADDRESS: 0xfff0,
  SMBHSTCFG: 0xd2,
  SMBHSTCFG_SMB_HST_EN: 1 << 0,
} as const

export const pmConfigRegisters: readonly MaskedRegister[] = [
  { name: 'PMBA', offset: 0x40, size: 4, initial: 0x00000001, writable: 0x0000ffc0 },
  { name: 'CNTA', offset: 0x44, size: 4, writable: 0xffffffff },
  { name: 'CNTB', offset: 0x48, size: 4, writable: 0x003fffff },
  { name: 'GPICTL', offset: 0x4c, size: 4, writable: 0x00ffffff },
  { name: 'DEVRESD', offset: 0x50, size: 4, writable: 0x00ffffff },
  { name: 'DEVACTA', offset: 0x54, size: 4, writable: 0xffffffff },
  { name: 'DEVACTB', offset: 0x58, size: 4, writable: 0xffffffff },
  { name: 'DEVRESA', offset: 0x5c, size: 4, writable: 0xffffffff },
  { name: 'DEVRESB', offset: 0x60, size: 4, writable: 0xffffffff },
  { name: 'DEVRESC', offset: 0x64, size: 4, writable: 0xffffffff },
  { name: 'DEVRESE', offset: 0x68, size: 4, writable: 0xffffffff },
  { name: 'DEVRESF', offset: 0x6c, size: 4, writable: 0xffffffff },
  { name: 'DEVRESG', offset: 0x70, size: 4, writable: 0xffffffff },
  { name: 'DEVRESH', offset: 0x74, size: 4, writable: 0xffffffff },
  { name: 'DEVRESI', offset: 0x78, size: 4, writable: 0xffffffff },
  { name: 'DEVRESJ', offset: 0x7c, size: 4, writable: 0xffffffff },
  { name: 'PMREGMISC', offset: 0x80, size: 1, writable: 0x01 },
  { name: 'SMBBA', offset: 0x90, size: 4, initial: 0x00000001, writable: 0x0000fff0 },
  { name: 'SMBHSTCFG', offset: 0xd2, size: 1, writable: 0x0f },
  { name: 'SMBSLVC', offset: 0xd3, size: 1, writable: 0xff },
  { name: 'SMBSHDW1', offset: 0xd4, size: 1, writable: 0xff },
  { name: 'SMBSHDW2', offset: 0xd5, size: 1, writable: 0xff },
  { name: 'SMBREV', offset: 0xd6, size: 1 },
]

export const PM_BYTES = 64

/** Offsets in the I/O block. */
export const PMSTS = 0x00
export const PMEN = 0x02
export const PMCNTRL = 0x04
export const PMTMR = 0x08

/** Bits of PMSTS; PMEN has the enables of the first, sixth, ninth and eleventh in the same places. */
export const pmStatus = {
  TMROF_STS: 1 << 0,
  BM_STS: 1 << 4,
  GBL_STS: 1 << 5,
  PWRBTN_STS: 1 << 8,
  RTC_STS: 1 << 10,
  RSM_STS: 1 << 15,
} as const

/** Bits and fields of PMCNTRL. */
export const pmControl = {
  SCI_EN: 1 << 0,
  BRLD_EN_BM: 1 << 1,
  GBL_RLS: 1 << 2,
  SUS_TYP: 7 << 10,
  SUS_TYP_SHIFT: 10,
  SUS_TYP_SOFT_OFF: 0,
  SUS_EN: 1 << 13,
} as const

const PMSTS_CLEARABLE = Object.values(pmStatus).reduce((mask, bit) => mask | bit, 0)
const PMEN_WRITABLE = pmStatus.TMROF_STS | pmStatus.GBL_STS | pmStatus.PWRBTN_STS | pmStatus.RTC_STS

export const pmRegisters: readonly MaskedRegister[] = [
  { name: 'PMSTS', offset: PMSTS, size: 2, clearable: PMSTS_CLEARABLE },
  { name: 'PMEN', offset: PMEN, size: 2, writable: PMEN_WRITABLE },
  { name: 'PMCNTRL', offset: PMCNTRL, size: 2, writable: 0x3c03 },
  { name: 'PMTMR', offset: PMTMR, size: 4 },
  { name: 'GPSTS', offset: 0x0c, size: 2, clearable: 0x0f81 },
  { name: 'GPEN', offset: 0x0e, size: 2, writable: 0x0f01 },
  { name: 'PCNTRL', offset: 0x10, size: 4, writable: 0x00023e1e },
  { name: 'PLVL2', offset: 0x14, size: 1 },
  { name: 'PLVL3', offset: 0x15, size: 1 },
  { name: 'GLBSTS', offset: 0x18, size: 2, clearable: 0x08ff },
  { name: 'DEVSTS', offset: 0x1c, size: 4, clearable: 0x3fff0000 },
  { name: 'GLBEN', offset: 0x20, size: 2, writable: 0x0d7b },
  { name: 'GLBCTL', offset: 0x28, size: 4, writable: 0x0701ffff },
  { name: 'DEVCTL', offset: 0x2c, size: 4, writable: 0x0fffffff },
  { name: 'GPIREG', offset: 0x30, size: 4 },
  { name: 'GPOREG', offset: 0x34, size: 4, initial: 0x7fffbfff, writable: 0x7fffffff },
]
