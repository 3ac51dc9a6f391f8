/**
 * Saved state with names, checked field by field when it comes back. Its version is the model's `stateVersion`, which
 * the device's host keeps and checks: raise it whenever a layout changes.
 */
import { z } from 'zod'
import { type DeviceState, StateError } from '../../bus/mod.ts'

/** The layout of one device's state: what `save` writes and `restore` accepts. */
export class StateLayout<Shape extends z.ZodRawShape> {
  readonly #device: string
  readonly #schema: z.ZodObject<Shape, z.core.$strict>

  /** `device`: the model's type, for error messages. */
  constructor(device: string, shape: Shape) {
    this.#device = device
    this.#schema = z.strictObject(shape)
  }

  /** A copy of `fields` that shares nothing with them. */
  save(fields: z.infer<z.ZodObject<Shape, z.core.$strict>>): DeviceState {
    return structuredClone(fields) as DeviceState
  }

  /** A checked copy of the fields of a saved state. Throws a `StateError` that names the first bad field. */
  restore(state: DeviceState): z.infer<z.ZodObject<Shape, z.core.$strict>> {
    const result = this.#schema.safeParse(structuredClone(state))
    if (result.success) return result.data
    const issue = result.error.issues[0]
    const name = issue === undefined || issue.path.length === 0 ? 'state' : issue.path.join('.')
    throw new StateError(`${this.#device}: ${name}: ${issue?.message ?? 'not valid'}; the saved state is damaged`, {
      cause: result.error,
    })
  }
}

/** Field types that device states are made of. */
export const field = {
  flag: () => z.boolean(),
  /** A whole number of `bits` bits, 1 to 32. */
  unsigned: (bits: number) =>
    z
      .int()
      .min(0)
      .max(2 ** bits - 1),
  /** A whole number from `min` to `max`. */
  whole: (min: number, max: number) => z.int().min(min).max(max),
  /** A virtual time, a tick count, or `NEVER`. */
  vt: () => z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  /** At most `max` bytes; exactly `max` where `exact`. */
  bytes: (max: number, exact = false) =>
    z
      .instanceof(Uint8Array)
      .refine((bytes) => (exact ? bytes.length === max : bytes.length <= max), `not ${max} bytes`),
  oneOf: <const T extends string>(values: readonly T[]) => z.enum(values as readonly [T, ...T[]]),
  list: <T extends z.ZodType>(item: T, max: number) => z.array(item).max(max),
  record: <S extends z.ZodRawShape>(shape: S) => z.strictObject(shape),
  nullable: <T extends z.ZodType>(type: T) => z.nullable(type),
}

/** The fields of a layout, as a TypeScript type: `type State = FieldsOf<typeof layout>`. */
export type FieldsOf<L extends { restore(state: DeviceState): unknown }> = ReturnType<L['restore']>
