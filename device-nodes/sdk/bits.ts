/**
 * Bits of registers, each register's with a type of its own, so that a bit of IIR cannot test IER.
 */

declare const ofRegister: unique symbol

/** A value of register `R`, or a set of its bits. */
export type Bits<R extends string> = number & { readonly [ofRegister]: R }

/** A register's named bits, as `registerBits` makes them. */
export type RegisterBits<R extends string, Name extends string> = { readonly [K in Name]: Bits<R> } & {
  /** `value` taken as this register's. */
  of(value: number): Bits<R>
  /** The names of the bits set in `value`, `RDI|THRI`; bits without a name as a hexadecimal rest; `0` for none. */
  names(value: number): string
}

/** Declares the named bits of `register`, in the order in which `names` prints them. */
export function registerBits<R extends string, Name extends string>(
  _register: R,
  table: { readonly [K in Name]: number },
): RegisterBits<R, Name> {
  const rows = Object.entries<number>(table)
  return {
    ...(table as { readonly [K in Name]: Bits<R> }),
    of: (value: number) => value as Bits<R>,
    names: (value: number) => bitNames(value, rows),
  }
}

function bitNames(value: number, rows: readonly (readonly [string, number])[]): string {
  const words: string[] = []
  let rest = value
  for (const [name, mask] of rows) {
    if (mask !== 0 && (value & mask) === mask) {
      words.push(name)
      rest &= ~mask
    }
  }
  if (rest !== 0 || words.length === 0) words.push(rest === 0 ? '0' : hex(rest))
  return words.join('|')
}

/** Whether `value` has any bit of `bits`. */
export function has<R extends string>(value: Bits<R>, bits: Bits<R>): boolean {
  return (value & bits) !== 0
}

/** `0x0f`: lower-case hexadecimal of an unsigned value with at least `digits` digits. */
export function hex(value: number, digits = 2): string {
  return `0x${(value >>> 0).toString(16).padStart(digits, '0')}`
}
