/**
 * Saved state with names and a version, checked field by field when it comes back.
 */
import { z } from 'zod'
import { type DeviceState, StateError } from '../../bus/mod.ts'

/** The layout of one device's state: what `save` writes and `restore` accepts. */
export class StateLayout<Shape extends z.ZodRawShape> {
  readonly #device: string
  readonly #version: number
  readonly #schema: z.ZodObject<Shape, z.core.$strict>

  /** `device`: the model's type, for error messages. `version` goes up whenever `shape` changes. */
  constructor(device: string, version: number, shape: Shape) {
    this.#device = device
    this.#version = version
    this.#schema = z.strictObject(shape)
  }

  get version(): number {
    return this.#version
  }

  /** A copy of `fields` with the version, sharing nothing with them. */
  save(fields: z.infer<z.ZodObject<Shape, z.core.$strict>>): DeviceState {
    return { version: this.#version, ...(structuredClone(fields) as Record<string, unknown>) }
  }

  /** A checked copy of the fields of a saved state. Throws a `StateError` that names the first bad field. */
  restore(state: DeviceState): z.infer<z.ZodObject<Shape, z.core.$strict>> {
    const { version, ...fields } = state
    if (version !== this.#version) {
      throw new StateError(
        `${this.#device}: state is of version ${String(version)}, this model reads version ${this.#version}; ` +
          'restore it with the release that saved it',
      )
    }
    const result = this.#schema.safeParse(structuredClone(fields))
    if (result.success) return result.data
    const issue = result.error.issues[0]
    const field = issue === undefined || issue.path.length === 0 ? 'state' : issue.path.join('.')
    throw new StateError(`${this.#device}: ${field}: ${issue?.message ?? 'not valid'}; the saved state is damaged`, {
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
