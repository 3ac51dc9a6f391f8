/**
 * Saved state with names, checked field by field when it comes back. Its version is the model's `stateVersion`, which
 * the device's host keeps and checks: raise it whenever a layout changes.
 */
import * as v from 'valibot'
import { type DeviceState, StateError } from '../../bus/mod.ts'

/** The layout of one device's state: what `save` writes and `restore` accepts. */
export class StateLayout<Shape extends v.ObjectEntries> {
  readonly #device: string
  readonly #schema: v.StrictObjectSchema<Shape, undefined>

  /** `device`: the model's type, for error messages. */
  constructor(device: string, shape: Shape) {
    this.#device = device
    this.#schema = v.strictObject(shape)
  }

  /** A copy of `fields` that shares nothing with them. */
  save(fields: v.InferOutput<v.StrictObjectSchema<Shape, undefined>>): DeviceState {
    return structuredClone(fields) as DeviceState
  }

  /** A checked copy of the fields of a saved state. Throws a `StateError` that names the first bad field. */
  restore(state: DeviceState): v.InferOutput<v.StrictObjectSchema<Shape, undefined>> {
    const result = v.safeParse(this.#schema, structuredClone(state))
    if (result.success) return result.output
    const [issue] = result.issues
    const name = v.getDotPath(issue) ?? 'state'
    throw new StateError(`${this.#device}: ${name}: ${issue.message}; the saved state is damaged`, {
      cause: new v.ValiError(result.issues),
    })
  }
}

const whole = (min: number, max: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max))

/** Field types that device states are made of. */
export const field = {
  flag: () => v.boolean(),
  /** A whole number of `bits` bits, 1 to 32. */
  unsigned: (bits: number) => whole(0, 2 ** bits - 1),
  /** A whole number from `min` to `max`. */
  whole,
  /** A virtual time, a tick count, or `NEVER`. */
  vt: () => whole(0, Number.MAX_SAFE_INTEGER),
  /** At most `max` bytes; exactly `max` where `exact`. */
  bytes: (max: number, exact = false) =>
    v.pipe(
      v.instance(Uint8Array),
      v.check((bytes) => (exact ? bytes.length === max : bytes.length <= max), `not ${max} bytes`),
    ),
  oneOf: <const T extends string>(values: readonly T[]) => v.picklist(values),
  /** At most `max` items; exactly `max` where `exact`. */
  list: <T extends v.GenericSchema>(item: T, max: number, exact = false) =>
    v.pipe(v.array(item), exact ? v.length(max) : v.maxLength(max)),
  record: <S extends v.ObjectEntries>(shape: S) => v.strictObject(shape),
  nullable: <T extends v.GenericSchema>(type: T) => v.nullable(type),
}

/** The fields of a layout, as a TypeScript type: `type State = FieldsOf<typeof layout>`. */
export type FieldsOf<L extends { restore(state: DeviceState): unknown }> = ReturnType<L['restore']>
