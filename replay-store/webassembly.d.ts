/** The part of the WebAssembly interface in use: Node has it, TypeScript knows it only among a browser's types. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number })
    readonly buffer: ArrayBuffer
  }
  class Table {
    constructor(descriptor: { element: 'anyfunc'; initial: number; maximum: number })
    get(index: number): unknown
    set(index: number, value: unknown): void
  }
  interface Global {
    readonly value: number
  }
  class Module {
    constructor(bytes: Uint8Array)
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>)
    readonly exports: Record<string, (...args: number[]) => number>
  }
}
