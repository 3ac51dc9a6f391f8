/**
 * What translated code knows of the machine: places in CPU memory, and the functions that it calls.
 */

/** Byte offsets in CPU memory. */
export interface Layout {
  /** Of the program counter in guest state. */
  pc: number
  /** State below this offset is never touched by helpers. */
  registerBytes: number
  /** Why a region was left; the dispatcher has set it to `Reason.run`. */
  reason: number
  /** Where a slow load leaves its value. */
  slowValue: number
  /** Where a helper says that it failed. */
  failed: number
  /** Instructions left before the limit, when a helper or a slow access is called. */
  left: number
  /** Backward jumps before a loop asks again whether it does nothing. */
  passes: number
  /** A byte of flags for each page of backing memory. */
  flagBase: number
  /** A word for each page of backing memory: `GuestMemory.reached`. */
  frameBase: number
  /** The regions' records (`REGION_RECORD`). */
  regionBase: number
  /** The context of the code that runs, as in `CODE_PAGES`. */
  codeContext: number
}

/** Guest addresses that are RAM, end to end, for the code at hand. */
export interface Window {
  /** Virtual address of its first byte, as int32. */
  address: number
  /** Its physical address. */
  physical: number
  bytes: number
  /** Where that byte is in CPU memory. */
  host: number
  /** Its first page, of backing memory. */
  page: number
}

/** (where to enter, as `ENTRY_REGION` says; instructions that may be begun, soft TLB context) -> instructions left. */
export const REGION_SIGNATURE = { parameters: ['i32', 'i32', 'i32'], results: ['i32'] } as const
/**
 * (address, kind, context, instructions left) -> 1 with the value in `slowValue`, or 0: the interpreter is to do it.
 */
export const LOAD_SIGNATURE = { parameters: ['i32', 'i32', 'i32', 'i32'], results: ['i32'] } as const
/** (address, value, kind, context, instructions left) -> 1, or 0: the interpreter is to do it. */
export const STORE_SIGNATURE = { parameters: ['i32', 'i32', 'i32', 'i32', 'i32'], results: ['i32'] } as const
/** (number, arguments) -> the helper's value; `failed` tells whether it is one. */
export const HELPER_SIGNATURE = { parameters: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], results: ['i32'] } as const

/** What regions import. */
export const IMPORTS = [
  { name: 'load', signature: LOAD_SIGNATURE },
  { name: 'store', signature: STORE_SIGNATURE },
  { name: 'helper', signature: HELPER_SIGNATURE },
] as const
/** And those that may wait for a device in a loop, after them: `IdleLoops.goOn`. */
export const GO_ON = { name: 'goOn', signature: { parameters: ['i32', 'i32', 'i32'], results: ['i32'] } } as const
/** Numbers of the imports. */
export const Import = { load: 0, store: 1, helper: 2, goOn: 3 } as const
/** Arguments of a helper besides its number. */
export const HELPER_ARGUMENTS = 5

/** Kinds of access as slow functions are told: width, and these. */
export const SIGNED = 0x100
/** The address's low bits are dropped. */
export const DOWN = 0x200
export const FOR_WRITE = 0x400
