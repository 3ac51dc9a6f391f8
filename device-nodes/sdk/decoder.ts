/**
 * Turns a device's register accesses into words for a person: `IER <- RDI|THRI`, `LSR -> DR|THRE|TEMT`.
 */
import type { Payload } from '../../bus/mod.ts'
import { hex } from './bits.ts'

/** A register that an access meets, and its value in words (plain hexadecimal where `words` is left out). */
export interface NamedAccess {
  register: string
  words?: (value: number) => string
}

type ReadAccess = Extract<Payload, { kind: 'read' }>
type WriteAccess = Extract<Payload, { kind: 'write' }>

/**
 * A decoder from two functions that name the register of a read and of a write. Both are called once for each access,
 * in order, and may keep what they need between calls. `onReset` forgets it.
 */
export function accessDecoder(
  nameRead: (access: ReadAccess) => NamedAccess | undefined,
  nameWrite: (access: WriteAccess) => NamedAccess | undefined,
  onReset?: () => void,
): (payload: Payload) => string | undefined {
  let reading: NamedAccess | undefined
  return (payload) => {
    switch (payload.kind) {
      case 'reset':
        onReset?.()
        return undefined
      case 'read':
        reading = nameRead(payload)
        return reading === undefined ? undefined : `${reading.register} ?`
      case 'data': {
        const named = reading
        reading = undefined
        return named === undefined ? undefined : `${named.register} -> ${inWords(named, payload.value)}`
      }
      case 'write': {
        const named = nameWrite(payload)
        return named === undefined ? undefined : `${named.register} <- ${inWords(named, payload.value)}`
      }
      default:
        return undefined
    }
  }
}

function inWords(named: NamedAccess, value: number): string {
  return named.words === undefined ? hex(value) : named.words(value)
}

/** A byte as text: `'a'`, or hexadecimal where it is no printable ASCII character. */
export function character(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : hex(byte)
}
