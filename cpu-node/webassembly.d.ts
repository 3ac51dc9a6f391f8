/** The part of the WebAssembly interface in use: Node has it, TypeScript knows it only among a browser's types. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number })
    readonly buffer: ArrayBuffer
  }
}
