/**
 * The registers of an RTL8139C and their bits: "RTL8139C(L)", Realtek, revision 1.4, chapter 5, "Register descriptions". What its reserved
 * bits of CSCR say is as drivers rely on it.
 */
import { type Register, RegisterTable, registerBits } from '../sdk/mod.ts'

/** Of PCI's identity. */
export const VENDOR = 0x10ec
export const DEVICE = 0x8139

export const CR = registerBits('CR', { RST: 0x10, RE: 0x08, TE: 0x04, BUFE: 0x01 })

/** Of ISR, where they are cleared by writing 1, and of IMR, where they let these interrupt. */
export const INTERRUPT = registerBits('ISR', {
  SERR: 0x8000,
  TIME_OUT: 0x4000,
  LEN_CHG: 0x2000,
  FOVW: 0x0040,
  LINK_CHG: 0x0020,
  RXOVW: 0x0010,
  TER: 0x0008,
  TOK: 0x0004,
  RER: 0x0002,
  ROK: 0x0001,
})

export const TSD = registerBits('TSD', { CRS: 0x8000_0000, TABT: 0x4000_0000, TOK: 0x8000, TUN: 0x4000, OWN: 0x2000 })
export const TSD_SIZE = 0x1fff
/** Size and threshold: the others are cleared when these are written. */
export const TSD_WRITABLE = 0x003f_1fff

export const TCR = registerBits('TCR', { LBK: 0x0006_0000, CRC: 0x0001_0000, CLRABT: 0x0001 })
export const TCR_WRITABLE = 0x0307_07f0
/** HWVERID of an RTL8139C. */
export const TCR_VERSION = 0x7400_0000

export const RCR = registerBits('RCR', {
  ERTH: 0x0f00_0000,
  WRAP: 0x0080,
  AER: 0x0020,
  AR: 0x0010,
  AB: 0x0008,
  AM: 0x0004,
  APM: 0x0002,
  AAP: 0x0001,
})
export const RCR_RBLEN = { shift: 11, mask: 0x1800 } as const

/** Of a frame's header in the receive buffer. */
export const RECEIVED = { MAR: 0x8000, PAM: 0x4000, BAR: 0x2000, RUNT: 0x0010, ROK: 0x0001 } as const
export const RECEIVED_HEADER_BYTES = 4

export const CR9346 = registerBits('9346CR', { EECS: 0x08, EESK: 0x04, EEDI: 0x02, EEDO: 0x01 })
/** EEM of 9346CR: what it is for. */
export const EEM = { mask: 0xc0, NORMAL: 0x00, AUTO_LOAD: 0x40, PROGRAM: 0x80, CONFIG_WRITE: 0xc0 } as const

export const MSR = registerBits('MSR', { TXFCE: 0x80, RXFCE: 0x40, AUX: 0x10, LINKB: 0x04 })
/** LINK_CHANGE is cleared by reading it. */
export const CSCR = registerBits('CSCR', { LINK_CHANGE: 0x0800, LINK_OK: 0x0400, CON_STATUS: 0x0008 })
/** Of BMCR: speed, agreement and duplex, which are open while configuration registers are. */
export const BMCR_LOCKED = 0x3100

/** What does nothing here, and is as it was written. */
interface Plain {
  writable?: number
  initial?: number
}
type Row<Name extends string = string> = Register<Name> & Plain

const ro = { access: 'ro' } as const
const rw = { access: 'rw' } as const
const plain = (writable: number, initial = 0) => ({ access: 'rw', writable, initial }) as const
const unimplemented = { access: 'unimplemented' } as const

const ROWS = [
  { name: 'IDR0', offset: 0x00, bytes: 4, ...plain(0xffff_ffff) },
  { name: 'IDR4', offset: 0x04, bytes: 4, ...plain(0xffff) },
  { name: 'MAR0', offset: 0x08, bytes: 4, ...plain(0xffff_ffff) },
  { name: 'MAR4', offset: 0x0c, bytes: 4, ...plain(0xffff_ffff) },
  { name: 'TSD0', offset: 0x10, bytes: 4, ...rw, initial: TSD.OWN },
  { name: 'TSD1', offset: 0x14, bytes: 4, ...rw, initial: TSD.OWN },
  { name: 'TSD2', offset: 0x18, bytes: 4, ...rw, initial: TSD.OWN },
  { name: 'TSD3', offset: 0x1c, bytes: 4, ...rw, initial: TSD.OWN },
  { name: 'TSAD0', offset: 0x20, bytes: 4, ...plain(0xffff_ffff) },
  { name: 'TSAD1', offset: 0x24, bytes: 4, ...plain(0xffff_ffff) },
  { name: 'TSAD2', offset: 0x28, bytes: 4, ...plain(0xffff_ffff) },
  { name: 'TSAD3', offset: 0x2c, bytes: 4, ...plain(0xffff_ffff) },
  { name: 'RBSTART', offset: 0x30, bytes: 4, ...plain(0xffff_ffff) },
  { name: 'ERBCR', offset: 0x34, bytes: 2, ...unimplemented },
  { name: 'ERSR', offset: 0x36, bytes: 1, ...unimplemented },
  { name: 'CR', offset: 0x37, bytes: 1, ...rw },
  { name: 'CAPR', offset: 0x38, bytes: 2, ...plain(0xffff, 0xfff0) },
  { name: 'CBR', offset: 0x3a, bytes: 2, ...ro },
  { name: 'IMR', offset: 0x3c, bytes: 2, ...plain(0xe07f) },
  { name: 'ISR', offset: 0x3e, bytes: 2, ...rw },
  { name: 'TCR', offset: 0x40, bytes: 4, ...rw, initial: TCR_VERSION },
  { name: 'RCR', offset: 0x44, bytes: 4, ...rw, writable: 0x0f03_ffbf },
  { name: 'TCTR', offset: 0x48, bytes: 4, ...rw },
  { name: 'MPC', offset: 0x4c, bytes: 4, ...rw },
  { name: '9346CR', offset: 0x50, bytes: 1, ...rw },
  { name: 'CONFIG0', offset: 0x51, bytes: 1, ...rw, writable: 0x07 },
  { name: 'CONFIG1', offset: 0x52, bytes: 1, ...rw, writable: 0xf3 },
  { name: 'TIMERINT', offset: 0x54, bytes: 4, ...rw, writable: 0xffff_ffff },
  { name: 'MSR', offset: 0x58, bytes: 1, ...ro },
  { name: 'CONFIG3', offset: 0x59, bytes: 1, ...rw, writable: 0x70 },
  { name: 'CONFIG4', offset: 0x5a, bytes: 1, ...rw, writable: 0xf5 },
  // It stops nothing.
  { name: 'HLTCLK', offset: 0x5b, bytes: 1, access: 'wo' },
  { name: 'MULINT', offset: 0x5c, bytes: 2, ...plain(0x0fff) },
  { name: 'RERID', offset: 0x5e, bytes: 1, ...ro },
  { name: 'TSAD', offset: 0x60, bytes: 2, ...ro },
  { name: 'BMCR', offset: 0x62, bytes: 2, ...rw },
  { name: 'BMSR', offset: 0x64, bytes: 2, ...ro },
  { name: 'ANAR', offset: 0x66, bytes: 2, ...rw },
  { name: 'ANLPAR', offset: 0x68, bytes: 2, ...ro },
  { name: 'ANER', offset: 0x6a, bytes: 2, ...ro },
  { name: 'DIS', offset: 0x6c, bytes: 2, ...ro },
  { name: 'FCSC', offset: 0x6e, bytes: 2, ...ro },
  { name: 'NWAYTR', offset: 0x70, bytes: 2, ...plain(0xffff) },
  { name: 'REC', offset: 0x72, bytes: 2, ...ro },
  { name: 'CSCR', offset: 0x74, bytes: 2, ...rw, writable: 0x03e5, initial: 0x03c0 },
  { name: 'PHY1_PARM', offset: 0x78, bytes: 4, ...plain(0xffff_ffff) },
  { name: 'TW_PARM', offset: 0x7c, bytes: 4, ...plain(0xffff_ffff) },
  { name: 'PHY2_PARM', offset: 0x80, bytes: 1, ...plain(0xff) },
  { name: 'FLASH', offset: 0xd4, bytes: 4, ...unimplemented },
  { name: 'CONFIG5', offset: 0xd8, bytes: 1, ...plain(0x7f) },
] as const satisfies readonly Row[]

export type RegisterName = (typeof ROWS)[number]['name']

export const REGISTERS: readonly Row<RegisterName>[] = ROWS
export const REGISTER_COUNT = ROWS.length
export const REGISTER_BYTES = 256
export const registerTable = new RegisterTable<RegisterName>('rtl8139', REGISTERS)

/** The place of each register in `REGISTERS`. */
export const PLACE = Object.fromEntries(REGISTERS.map(({ name }, i) => [name, i])) as Record<RegisterName, number>

export const TSDS = ['TSD0', 'TSD1', 'TSD2', 'TSD3'] as const
export const TSADS = ['TSAD0', 'TSAD1', 'TSAD2', 'TSAD3'] as const

/** What a software reset sets back; the rest is the cable's, the EEPROM's, or stays. */
export const RESET_BY_SOFTWARE: readonly RegisterName[] = [
  ...TSDS,
  'RBSTART',
  'CR',
  'CAPR',
  'CBR',
  'IMR',
  'ISR',
  'TCR',
  'RCR',
  'MPC',
  'TIMERINT',
  'MULINT',
]
