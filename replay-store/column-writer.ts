/**
 * Puts the entries of one segment into columns (columns.ts says which), one by one as they come. The work is done in
 * `assembly/column-writer.ts`.
 */
import { Packr } from 'msgpackr/pack'
import { type FieldValue, KINDS } from './codec.ts'
import { type ColumnBase, GRID } from './columns.ts'
import {
  MAX_FIELDS,
  NEVER_TIME,
  PLACE_BYTES,
  PLACE_COUNT,
  PLACE_HASH,
  PLACE_SHAPE,
  PLACE_TIME,
  ROW_COUNT,
  ROW_DST,
  ROW_FIELD_COUNT,
  ROW_FIELDS,
  ROW_FIRST_ICOUNT,
  ROW_KIND,
  ROW_LAST_ICOUNT,
  ROW_LENGTH,
  ROW_SRC,
} from './entry-record.ts'
import { TEXT_FIELD } from './flat-entry.ts'
import type { JournalMemory } from './journal-memory.ts'

const PLACES = { shape: PLACE_SHAPE, count: PLACE_COUNT, hash: PLACE_HASH, time: PLACE_TIME, bytes: PLACE_BYTES }

/** One row of a segment's dictionary: what its entries agree in, how many those are, and the first and the last icount of them. */
export interface ColumnRow {
  src: number
  dst: number
  /** As the dictionary has it. */
  shape: readonly FieldValue[]
  count: number
  firstIcount: number
  lastIcount: number
}

export class ColumnWriter {
  readonly #memory: JournalMemory
  /** The number of each text of a shape. */
  readonly #texts = new Map<string, number>()

  constructor(memory: JournalMemory) {
    this.#memory = memory
    const { bytes, exports } = memory
    for (const [kind, { fields }] of KINDS.entries()) {
      for (const [i, { column }] of fields.entries()) {
        bytes[exports.places.value + MAX_FIELDS * kind + i] = PLACES[column]
      }
    }
  }

  /** Begins a segment, and forgets the one before. */
  begin({ nsPerInstruction, firstIcount, firstVt }: ColumnBase): void {
    this.#memory.exports.begin(nsPerInstruction, GRID, firstIcount, firstVt)
    this.#texts.clear()
  }

  /** Appends the entry in the memory. */
  append(): void {
    const { entry, exports } = this.#memory
    const textField = TEXT_FIELD[entry.kind]!
    if (textField >= 0) entry.setField(textField, this.#textNumber(entry.text))
    exports.append()
    this.#memory.look()
  }

  /** The dictionary's rows. */
  rows(): ColumnRow[] {
    const { bytes, exports } = this.#memory
    const texts = [...this.#texts.keys()]
    return Array.from({ length: exports.rowCount() }, (_, id) => {
      const row = new Float64Array(bytes.buffer, exports.rowAt(id), ROW_LENGTH)
      const [src, dst, kind] = [row[ROW_SRC]!, row[ROW_DST]!, row[ROW_KIND]!]
      const fields = Array.from(row.subarray(ROW_FIELDS, ROW_FIELDS + row[ROW_FIELD_COUNT]!), (value, i) => {
        const { column, type } = KINDS[kind]!.fields[i]!
        if (type === 'text') return texts[value]!
        return column === 'time' && value === NEVER_TIME ? null : value
      })
      const shape = [src, dst, kind, ...fields]
      return {
        src,
        dst,
        shape,
        count: row[ROW_COUNT]!,
        firstIcount: row[ROW_FIRST_ICOUNT]!,
        lastIcount: row[ROW_LAST_ICOUNT]!,
      }
    })
  }

  /** The columns of all entries since `begin`, not compressed: a view, good until the next call. Nothing may be appended after. */
  finish(rows: readonly ColumnRow[]): Uint8Array {
    const dictionary = new Packr({ useRecords: false }).pack(rows.map(({ shape }) => shape))
    const at = this.#memory.exports.finish(this.#memory.setData(dictionary))
    return this.#memory.bytes.subarray(at, at + this.#memory.exports.bodyLength())
  }

  #textNumber(text: string): number {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    this.#texts.set(text, this.#texts.size)
    return this.#texts.size - 1
  }
}
