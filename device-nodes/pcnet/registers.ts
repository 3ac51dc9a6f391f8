/**
 * The registers of an Am79C973 and their bits: "Am79C973/Am79C975 PCnet-FAST III", AMD publication 21510, chapters "Control and
 * status registers" and "Bus configuration registers".
 */
import { registerBits } from '../sdk/mod.ts'

export const CSR0 = registerBits('CSR0', {
  ERR: 0x8000,
  BABL: 0x4000,
  CERR: 0x2000,
  MISS: 0x1000,
  MERR: 0x0800,
  RINT: 0x0400,
  TINT: 0x0200,
  IDON: 0x0100,
  INTR: 0x0080,
  IENA: 0x0040,
  RXON: 0x0020,
  TXON: 0x0010,
  TDMD: 0x0008,
  STOP: 0x0004,
  STRT: 0x0002,
  INIT: 0x0001,
})
/** Cleared by writing 1. */
export const CSR0_EVENTS = CSR0.BABL | CSR0.CERR | CSR0.MISS | CSR0.MERR | CSR0.RINT | CSR0.TINT | CSR0.IDON
export const CSR0_ERRORS = CSR0.BABL | CSR0.CERR | CSR0.MISS | CSR0.MERR
/** Of CSR3, which masks events of CSR0 in the same places; there is no mask for CERR. */
export const CSR3_MASKS = CSR0.BABL | CSR0.MISS | CSR0.MERR | CSR0.RINT | CSR0.TINT | CSR0.IDON

/** MODE. */
export const CSR15 = registerBits('CSR15', {
  PROM: 0x8000,
  DRCVBC: 0x4000,
  DRCVPA: 0x2000,
  DXMTFCS: 0x0008,
  LOOP: 0x0004,
  DTX: 0x0002,
  DRX: 0x0001,
})

/** Suspended: what it works with is software's, and it neither sends nor receives. */
export const CSR5_SPND = 0x0001
/** Of CSR7: each event stands above what enables its interrupt, and is cleared by writing 1. */
export const CSR7 = registerBits('CSR7', { MAPINT: 0x0080, MAPINTE: 0x0040 })
export const CSR7_EVENTS = 0x0aaa
export const CSR7_ENABLES = 0x0555
/** Of BCR4 to 7: whether the diode is on, and for what it is. */
export const LED = registerBits('LED', { LEDOUT: 0x8000, E100: 0x1000, FDLSE: 0x0100, LNKSE: 0x0040 })
export const LED_COUNT = 4
/** The transceiver's status is watched. */
export const BCR32_APEP = 0x0800
export const BCR18_DWIO = 0x0080
export const BCR20_SSIZE32 = 0x0100

/** Numbers of control and status registers. */
export const CSR = {
  STATUS: 0,
  INIT_LOW: 1,
  INIT_HIGH: 2,
  MASK: 3,
  FEATURES: 4,
  EXTENDED: 5,
  MANAGEMENT: 7,
  FILTER: 8,
  ADDRESS: 12,
  MODE: 15,
  RECEIVE_RING: 24,
  TRANSMIT_RING: 30,
  STYLE: 58,
  RECEIVE_COUNTER: 72,
  TRANSMIT_COUNTER: 74,
  RECEIVE_LENGTH: 76,
  TRANSMIT_LENGTH: 78,
  CHIP_LOW: 88,
  CHIP_HIGH: 89,
  MISSED: 112,
  COLLISIONS: 114,
} as const
export const CSR_COUNT = 128

/** Numbers of bus configuration registers. */
export const BCR = {
  MISC: 2,
  LED0: 4,
  FULL_DUPLEX: 9,
  BURST: 18,
  STYLE: 20,
  MII: 32,
  MII_ADDRESS: 33,
  MII_DATA: 34,
} as const
export const BCR_COUNT = 64

/** What is not 0 after a reset. */
export const CSR_INITIAL: readonly (readonly [number, number])[] = [
  [CSR.STATUS, CSR0.STOP],
  [CSR.FEATURES, 0x0115],
  [CSR.CHIP_LOW, 0x5003],
  [CSR.CHIP_HIGH, 0x0262],
]
/** Power-on alone sets these. */
export const BCR_INITIAL: readonly (readonly [number, number])[] = [
  [0, 0x0005],
  [1, 0x0005],
  [BCR.MISC, 0x0102],
  [BCR.LED0, 0x00c0],
  [5, 0x0084],
  [6, 0x0088],
  [7, 0x0090],
  [BCR.BURST, 0x9001],
  [19, 0x0002],
  [BCR.STYLE, 0x0200],
  [22, 0xff06],
  [BCR.MII, 0x0400],
  [35, 0x1022],
]

/** The chip's own transceiver: its number on the management bus, and what it says of itself. */
export const PHY = 30
export const PHY_PROPERTIES = { identifier: 0x0000_6b90, expansion: 0x000f } as const
