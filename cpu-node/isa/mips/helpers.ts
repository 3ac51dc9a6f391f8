/** Numbers of the helpers that lifted MIPS code calls; `mips.ts` has them in this order. */
export const Helper = {
  /** (address) -> the word; sets LLbit and LLAddr. */
  loadLinked: 0,
  /** (address, value) -> 1 stored, 0 not. */
  storeConditional: 1,
  /** (8 * register + select) -> value, for registers whose value is not simply in guest state. */
  readCp0: 2,
  /** (8 * register + select, value) */
  writeCp0: 3,
  /** (register number of RDHWR) -> value, or a reserved instruction. */
  readHardware: 4,
  /** (enable: 0 or 1) -> Status before. */
  setInterruptEnable: 5,
  tlbRead: 6,
  tlbWriteIndexed: 7,
  tlbWriteRandom: 8,
  tlbProbe: 9,
  exceptionReturn: 10,
  wait: 11,
  /** (register) -> value */
  readFpuControl: 12,
  /** (register, value) */
  writeFpuControl: 13,
  /** (number in `FLOAT_OPERATIONS`, fd, fs, ft or condition, fr or code) */
  float: 14,
} as const
