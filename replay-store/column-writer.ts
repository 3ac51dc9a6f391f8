/**
 * The columns of one segment's entries (columns.ts says which), which are filled one by one as they come. The work is done in
 * `assembly/column-writer.ts`.
 */
import { Packr } from 'msgpackr/pack'
import { type FieldValue, KINDS } from './codec.ts'
import { GRID } from './columns.ts'
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

/** The columns of the entries that an `EntryEncoder` adds. */
export class ColumnWriter {
  readonly #memory: JournalMemory

  constructor(memory: JournalMemory, nsPerInstruction: number) {
    this.#memory = memory
    const { bytes, exports } = memory
    exports.setJournal(nsPerInstruction, GRID)
    for (const [kind, { fields }] of KINDS.entries()) {
      for (const [i, { column }] of fields.entries()) {
        bytes[exports.places.value + MAX_FIELDS * kind + i] = PLACES[column]
      }
    }
  }

  /** The dictionary's rows. */
  rows(): ColumnRow[] {
    const { bytes, exports, texts } = this.#memory
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

  /** The columns of all entries of the segment, not compressed: a view, good until the next entry, which begins another segment. */
  finish(rows: readonly ColumnRow[]): Uint8Array {
    const dictionary = new Packr({ useRecords: false }).pack(rows.map(({ shape }) => shape))
    const at = this.#memory.exports.finish(this.#memory.setData(dictionary))
    return this.#memory.bytes.subarray(at, at + this.#memory.exports.bodyLength())
  }
}
