/**
 * What an Intel 28F160S3 tells of itself: identifier codes and the CFI query structure.
 *
 * Intel "3 Volt FlashFile Memory 28F160S3/28F320S3" datasheet, order number 290608, appendix C; Common Flash Interface
 * specification, release 2.0. Offsets count 16-bit words of one chip.
 */
export const MANUFACTURER_INTEL = 0x0089
export const DEVICE_28F160S3 = 0x00d0

export const CHIP_BYTES = 2 ** 21
export const BLOCK_BYTES = 2 ** 16
export const BLOCKS = CHIP_BYTES / BLOCK_BYTES
export const WRITE_BUFFER_BYTES = 32

/** Where the block status stands in a block's query or identifier space. */
export const BLOCK_STATUS_WORD = 2

const QUERY_FIRST = 0x10

const query: readonly number[] = [
  ...[0x51, 0x52, 0x59], // 0x10: "QRY"
  ...[0x01, 0x00], // 0x13: command set 0001, Intel extended
  ...[0x31, 0x00], // 0x15: address of its table
  ...[0x00, 0x00, 0x00, 0x00], // 0x17: no alternate command set
  ...[0x30, 0x36, 0x00, 0x00], // 0x1b: Vcc 3.0 to 3.6 V, no Vpp pin
  ...[0x07, 0x07, 0x0a, 0x00], // 0x1f: typical 2^n us a word and a buffer, 2^n ms a block erase
  ...[0x01, 0x01, 0x01, 0x00], // 0x23: maxima, in 2^n times those
  Math.log2(CHIP_BYTES), // 0x27
  ...[0x02, 0x00], // 0x28: x8/x16 interface
  ...[Math.log2(WRITE_BUFFER_BYTES), 0x00], // 0x2a
  0x01, // 0x2c: one run of equal blocks
  ...[BLOCKS - 1, 0x00, (BLOCK_BYTES / 256) & 0xff, BLOCK_BYTES / 256 / 256], // 0x2d
  ...[0x50, 0x52, 0x49, 0x31, 0x30], // 0x31: "PRI", version 1.0
  ...[0x08, 0x00, 0x00, 0x00], // 0x36: block lock bits; no suspends, since nothing takes time
  0x00, // 0x3a: nothing may be done in suspension
  ...[0x01, 0x00], // 0x3b: block status has the lock bit
  ...[0x33, 0x00], // 0x3d: optimum Vcc, Vpp
]

/** Query word `word` (0 to 0xff): a byte of the structure, or 0 outside it. */
export function queryByte(word: number): number {
  return query[word - QUERY_FIRST] ?? 0
}
