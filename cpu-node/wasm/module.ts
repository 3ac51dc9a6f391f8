/**
 * A WebAssembly module: one imported memory, a few imported functions, and functions that are all exported, as `0`, `1`,
 * ... in order.
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
  /** Functions of `env`, numbered from 0. */
  imports: readonly { name: string; signature: Signature }[]
  signature: Signature
  /** All have the one signature; their numbers follow those of the imports. */
  functions: readonly FunctionBody[]
}

const HEADER = new Uint8Array([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00])
const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const
const FUNCTION_TYPE = 0x60

export function encodeModule({ memoryPages, imports, signature, functions }: ModuleDescription): Uint8Array {
  const module = new ByteWriter()
  module.append(HEADER)
  const section = (id: number, write: (to: ByteWriter) => void) => {
    const contents = new ByteWriter()
    write(contents)
    module.byte(id)
    module.unsigned(contents.length)
    module.append(contents.written)
  }
  const signatures = [...imports.map((entry) => entry.signature), signature]
  section(SECTION.type, (to) => {
    to.unsigned(signatures.length)
    for (const { parameters, results } of signatures) {
      to.byte(FUNCTION_TYPE)
      to.unsigned(parameters.length)
      for (const type of parameters) to.byte(valueTypeCode(type))
      to.unsigned(results.length)
      for (const type of results) to.byte(valueTypeCode(type))
    }
  })
  section(SECTION.import, (to) => {
    to.unsigned(imports.length + 1)
    for (const [index, { name }] of imports.entries()) {
      to.name('env')
      to.name(name)
      to.byte(0)
      to.unsigned(index)
    }
    to.name('env')
    to.name('memory')
    to.byte(2)
    to.byte(1)
    to.unsigned(memoryPages)
    to.unsigned(memoryPages)
  })
  section(SECTION.function, (to) => {
    to.unsigned(functions.length)
    for (let index = 0; index < functions.length; index++) to.unsigned(imports.length)
  })
  section(SECTION.export, (to) => {
    to.unsigned(functions.length)
    for (let index = 0; index < functions.length; index++) {
      to.name(String(index))
      to.byte(0)
      to.unsigned(imports.length + index)
    }
  })
  section(SECTION.code, (to) => {
    to.unsigned(functions.length)
    for (const body of functions) {
      const bytes = body.finish()
      to.unsigned(bytes.length)
      to.append(bytes)
    }
  })
  return module.written.slice()
}
