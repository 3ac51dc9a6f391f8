/**
 * How an entry is handed to WebAssembly: as so many doubles, and beside them the bytes of its field of bytes or text. The code on
 * both sides, JavaScript's here and AssemblyScript's in `assembly`, includes this.
 */

/** Places in the record. The kind's fields begin at `RECORD_FIELDS`. */
export const RECORD_VT = 0
export const RECORD_ICOUNT = 1
export const RECORD_SRC = 2
export const RECORD_DST = 3
export const RECORD_KIND = 4
export const RECORD_FIELD_COUNT = 5
export const RECORD_FIELDS = 6

/** The most fields that a kind has. */
export const MAX_FIELDS = 6
/** The most kinds there are, in tables that have a row of `MAX_FIELDS` for each. */
export const MAX_KINDS = 32

export const RECORD_LENGTH = RECORD_FIELDS + MAX_FIELDS

/**
 * An entry in a batch (entry-batch.ts) is the beginning of its record, up to the fields that it has. Where one of these is bytes or a
 * text, `BATCH_HAS_DATA` is added to their number, and the length of that follows, and it, up to a whole double.
 */
export const BATCH_HAS_DATA = 256

/** How a field becomes canonical bytes. `SMALL`: whole, from 0 to the field's greatest. `SIZE`: 1, 2 or 4. */
export const FORM_SMALL = 0
export const FORM_SIZE = 1
export const FORM_WHOLE = 2
/** Whole, or `NEVER`. */
export const FORM_TIME = 3
/** -1, or as `FORM_SMALL`. */
export const FORM_TARGET = 4
export const FORM_BYTES = 5
export const FORM_TEXT = 6

/** What is wrong with an entry that is not encoded; `FAULT_FIELD` less its number where it is a field. */
export const FAULT_VT = -1
export const FAULT_ICOUNT = -2
export const FAULT_VT_ORDER = -3
export const FAULT_ICOUNT_ORDER = -4
export const FAULT_FIELD = -5

/** Where a field goes in a segment: into the shape (a text by its number), or how it is written into its column. */
export const PLACE_SHAPE = 0
export const PLACE_COUNT = 1
export const PLACE_HASH = 2
export const PLACE_TIME = 3
export const PLACE_BYTES = 4

/** Stands in a shape for a field that has a column. */
export const IN_COLUMN = 1
/** Stands in a shape for a time of 0, which needs no column: `data` that must be asked again. */
export const ZERO_TIME = 0
/** Stands for a time of `NEVER`, which is nil in a shape as it is stored. */
export const NEVER_TIME = 2

/** Places in a row of the dictionary, as it is handed back: of its entries, and their shape. The fields begin at `ROW_FIELDS`. */
export const ROW_COUNT = 0
export const ROW_FIRST_ICOUNT = 1
export const ROW_LAST_ICOUNT = 2
export const ROW_SRC = 3
export const ROW_DST = 4
export const ROW_KIND = 5
export const ROW_FIELD_COUNT = 6
export const ROW_FIELDS = 7
export const ROW_LENGTH = ROW_FIELDS + MAX_FIELDS
