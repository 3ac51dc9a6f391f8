/** Numbers of the helpers that lifted MIPS code calls; `mips.ts` has them in this order. */
export const Helper = {
  /** (address) -> the word; sets LLbit and LLAddr. */
  loadLinked: 0,
  /** (address, value) -> 1 stored, 0 not. */
  storeConditional: 1,
  /** (8 * register + select) -> value, for registers whose value is not simply in guest state. */
  readCp0: 2,
  /** (8 * register + select, value) -> 1 where mode, mapping, interrupts or the timer are to be looked at, else 0. */
  writeCp0: 3,
  /** (register number of RDHWR) -> value, or a reserved instruction. */
  readHardware: 4,
  tlbRead: 5,
  tlbWriteIndexed: 6,
  tlbWriteRandom: 7,
  tlbProbe: 8,
  exceptionReturn: 9,
  wait: 10,
  /** (register) -> value */
  readFpuControl: 11,
  /** (register, value) */
  writeFpuControl: 12,
  /** (number in `FLOAT_OPERATIONS`, fd, fs, ft or condition, fr or code) */
  float: 13,
} as const
