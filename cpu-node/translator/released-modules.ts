/**
 * Lets go of the machine code of modules that are no longer used: it lives until the thread's collector has found that its
 * small handle is garbage, for which alone that sees no reason to look. And of what compiling them took: of 450 MiB some 20 are free
 * pages between others of the C library's heaps.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { trimHeaps } from './machine-code.ts'

// V8 takes machine code that was stored (machine-code.ts) only where its flags are as they were then: none is set later.
setFlagsFromString('--expose-gc')

/** Modules let go of before that is worth looking for all garbage. */
const MODULES = 256

/** One for each thread that has such modules. */
export class ReleasedModules {
  #count = 0
  #collectGarbage: (() => void) | undefined

  /** One more is no longer used. */
  add(): void {
    if (++this.#count % MODULES !== 0) return
    this.#collectGarbage ??= runInNewContext('gc') as () => void
    this.#collectGarbage()
    trimHeaps()
  }
}
