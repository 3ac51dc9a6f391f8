/**
 * A WebAssembly module: one imported memory, perhaps an imported table, a few imported functions, and functions that are
 * all exported under their names.
 */
import { ByteWriter } from './bytes.ts'
import { type FunctionBody, type ValueType, valueTypeCode } from './function.ts'

export interface Signature {
  parameters: readonly ValueType[]
  results: readonly ValueType[]
}

export interface ModuleDescription {
  /** Pages of 64 KiB of the memory `env.memory`. */
  memoryPages: number
  /** Entries of the table `env.table`, if one is imported. */
  tableEntries?: number
  /** Functions of `env`, numbered from 0. */
  imports: readonly { name: string; signature: Signature }[]
  /** Their numbers follow those of the imports. Profilers show `shownAs`, or the name. */
  functions: readonly { name: string; signature: Signature; body: FunctionBody; shownAs?: string }[]
}

const HEADER = new Uint8Array([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00])
const SECTION = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const
const FUNCTION_TYPE = 0x60
const KIND = { function: 0, table: 1, memory: 2 } as const
const FUNCTION_REFERENCE = 0x70
/** Subsection of the `name` section. */
const FUNCTION_NAMES = 1

export function encodeModule({ memoryPages, tableEntries, imports, functions }: ModuleDescription): Uint8Array {
  const module = new ByteWriter()
  module.append(HEADER)
  const section = (id: number, write: (to: ByteWriter) => void) => {
    const contents = new ByteWriter()
    write(contents)
    module.byte(id)
    module.unsigned(contents.length)
    module.append(contents.written)
  }
  section(SECTION.type, (to) => {
    to.unsigned(imports.length + functions.length)
    for (const { signature } of [...imports, ...functions]) writeSignature(to, signature)
  })
  section(SECTION.import, (to) => {
    to.unsigned(imports.length + (tableEntries === undefined ? 1 : 2))
    for (const [index, { name }] of imports.entries()) {
      to.name('env')
      to.name(name)
      to.byte(KIND.function)
      to.unsigned(index)
    }
    if (tableEntries !== undefined) {
      to.name('env')
      to.name('table')
      to.byte(KIND.table)
      to.byte(FUNCTION_REFERENCE)
      writeLimits(to, tableEntries)
    }
    to.name('env')
    to.name('memory')
    to.byte(KIND.memory)
    writeLimits(to, memoryPages)
  })
  section(SECTION.function, (to) => {
    to.unsigned(functions.length)
    for (let index = 0; index < functions.length; index++) to.unsigned(imports.length + index)
  })
  section(SECTION.export, (to) => {
    to.unsigned(functions.length)
    for (const [index, { name }] of functions.entries()) {
      to.name(name)
      to.byte(KIND.function)
      to.unsigned(imports.length + index)
    }
  })
  const bodies = functions.map(({ body }) => body.finish())
  section(SECTION.custom, (to) => {
    to.name('metadata.code.branch_hint')
    to.unsigned(bodies.length)
    for (const [index, { hints }] of bodies.entries()) {
      to.unsigned(imports.length + index)
      to.unsigned(hints.length)
      for (const { at, likely } of hints) {
        to.unsigned(at)
        to.unsigned(1)
        to.byte(likely ? 1 : 0)
      }
    }
  })
  section(SECTION.code, (to) => {
    to.unsigned(bodies.length)
    for (const { bytes } of bodies) {
      to.unsigned(bytes.length)
      to.append(bytes)
    }
  })
  section(SECTION.custom, (to) => {
    to.name('name')
    const contents = new ByteWriter()
    contents.unsigned(functions.length)
    for (const [index, { name, shownAs }] of functions.entries()) {
      contents.unsigned(imports.length + index)
      contents.name(shownAs ?? name)
    }
    to.byte(FUNCTION_NAMES)
    to.unsigned(contents.length)
    to.append(contents.written)
  })
  return module.written.slice()
}

function writeSignature(to: ByteWriter, { parameters, results }: Signature): void {
  to.byte(FUNCTION_TYPE)
  to.unsigned(parameters.length)
  for (const type of parameters) to.byte(valueTypeCode(type))
  to.unsigned(results.length)
  for (const type of results) to.byte(valueTypeCode(type))
}

/** As many at least as at most. */
function writeLimits(to: ByteWriter, size: number): void {
  to.byte(1)
  to.unsigned(size)
  to.unsigned(size)
}
