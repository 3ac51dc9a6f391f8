/**
 * Who translates regions, and when they are done. None of it shows in what a guest does.
 */
import { setFlagsFromString } from 'node:v8'
import { type CompilerThread, compilerThread } from '../compiler-thread.ts'
import { type Translation, type TranslationRequest, translateRegion } from './translate.ts'

// Functions are compiled where their module is made, not by the CPU's own thread when it first calls them.
setFlagsFromString('--no-wasm-lazy-compilation')

export interface RegionCompiler {
  submit(request: TranslationRequest): void
  /** Translations that are done and were not given before. */
  finished(): Translation[]
}

/** Translates at once. */
export class ImmediateCompiler implements RegionCompiler {
  #done: Translation[] = []

  submit(request: TranslationRequest): void {
    this.#done.push(translateRegion(request))
  }

  finished(): Translation[] {
    const done = this.#done
    this.#done = []
    return done
  }
}

/** Translates at once, and keeps it back until it has been asked for a random number of times: for tests. */
export class LateCompiler implements RegionCompiler {
  readonly #random: (below: number) => number
  readonly #late: { translation: Translation; asks: number }[] = []

  /** `random`: a whole number from 0 to below its argument. */
  constructor(random: (below: number) => number) {
    this.#random = random
  }

  submit(request: TranslationRequest): void {
    this.#late.push({ translation: translateRegion(request), asks: this.#random(20) })
  }

  finished(): Translation[] {
    const done: Translation[] = []
    for (const [index, late] of [...this.#late.entries()].reverse()) {
      if (late.asks-- > 0) continue
      done.push(late.translation)
      this.#late.splice(index, 1)
    }
    return done
  }
}

/** Translates on a thread of the process that all CPUs share, so that guest code runs on meanwhile. */
export class BackgroundCompiler implements RegionCompiler {
  /** Of one that was never asked for anything there is none. */
  #thread: CompilerThread | undefined
  readonly #done: Translation[] = []

  submit(request: TranslationRequest): void {
    this.#thread ??= compilerThread()
    this.#thread.submit(request, this.#done)
  }

  finished(): Translation[] {
    this.#thread?.receive()
    return this.#done.splice(0)
  }
}
