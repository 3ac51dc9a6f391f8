/**
 * Guest state of a MIPS32 processor, as byte offsets:
 *
 *     0     gpr[32]        gpr[0] is never written
 *     128   lo, hi         as one 64-bit word, HI above LO
 *     136   pc, branch target, in-delay-slot flag, LLbit
 *     152   FCSR, waiting, coprocessor 0 unusable, coprocessor 1 unusable
 *     512   fpr[32]        64 bits each; with Status.FR = 0 the low halves are the 32 registers
 *     1024  CP0            register r, select s at 1024 + 4 * (8 * r + s)
 */
export const LO = 128
export const HI = 132
export const PC = 136
/** Where the branch goes whose delay slot `PC` is, while `IN_DELAY_SLOT` is 1. */
export const BRANCH_TARGET = 140
export const IN_DELAY_SLOT = 144
export const LL_BIT = 148
export const FCSR = 152
export const WAITING = 156
export const COP0_UNUSABLE = 160
export const COP1_UNUSABLE = 164
export const STATE_BYTES = 2048

export const gpr = (register: number): number => 4 * register
export const fpr = (register: number): number => 512 + 8 * register
export const cp0 = (register: number, select = 0): number => 1024 + 4 * (8 * register + select)

export const INDEX = cp0(0)
export const RANDOM = cp0(1)
export const ENTRY_LO0 = cp0(2)
export const ENTRY_LO1 = cp0(3)
export const CONTEXT = cp0(4)
export const USER_LOCAL = cp0(4, 2)
export const PAGE_MASK = cp0(5)
export const WIRED = cp0(6)
export const HWRENA = cp0(7)
export const BAD_VADDR = cp0(8)
/** Holds Count minus the ticks since power-on while Count runs, Count itself while Cause.DC stops it. */
export const COUNT = cp0(9)
export const ENTRY_HI = cp0(10)
export const COMPARE = cp0(11)
export const STATUS = cp0(12)
export const INT_CTL = cp0(12, 1)
export const SRS_CTL = cp0(12, 2)
export const CAUSE = cp0(13)
export const EPC = cp0(14)
export const PRID = cp0(15)
export const EBASE = cp0(15, 1)
export const CONFIG = cp0(16)
export const CONFIG1 = cp0(16, 1)
export const CONFIG2 = cp0(16, 2)
export const CONFIG3 = cp0(16, 3)
export const LL_ADDR = cp0(17)
export const ERROR_EPC = cp0(30)

/** Status register bits. */
export const Status = {
  IE: 1 << 0,
  EXL: 1 << 1,
  ERL: 1 << 2,
  KSU: 3 << 3,
  IM: 0xff << 8,
  SR: 1 << 20,
  BEV: 1 << 22,
  FR: 1 << 26,
  CU0: 1 << 28,
  CU1: 1 << 29,
} as const

/** Cause register bits. */
export const Cause = {
  EXC_CODE: 0x1f << 2,
  IP_SOFTWARE: 3 << 8,
  IP: 0xff << 8,
  IP7: 1 << 15,
  WP: 1 << 22,
  IV: 1 << 23,
  DC: 1 << 27,
  CE: 3 << 28,
  TI: 1 << 30,
  BD: 1 << 31,
} as const

/** Exception codes (Cause.ExcCode); a coprocessor's number goes above, see `coprocessorUnusable`. */
export const Exception = {
  Int: 0,
  Mod: 1,
  TLBL: 2,
  TLBS: 3,
  AdEL: 4,
  AdES: 5,
  IBE: 6,
  DBE: 7,
  Sys: 8,
  Bp: 9,
  RI: 10,
  CpU: 11,
  Ov: 12,
  Tr: 13,
  FPE: 15,
} as const

/** Trap code of Coprocessor Unusable: Cause.CE stands above the exception code. */
export const coprocessorUnusable = (unit: number): number => Exception.CpU | (unit << 8)
/** Trap code bit: no TLB entry matched, so the refill vector is taken. */
export const REFILL = 1 << 16
