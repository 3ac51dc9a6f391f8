/**
 * Who translates regions, and when they are done. None of it shows in what a guest does.
 */
import { setFlagsFromString } from 'node:v8'
// biome-ignore lint/style/noRestrictedImports: where and when code is translated is no part of what a guest sees
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
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
  readonly #thread = sharedThread()
  readonly #done: Translation[] = []

  submit(request: TranslationRequest): void {
    this.#thread.submit(request, this.#done)
  }

  finished(): Translation[] {
    this.#thread.receive()
    return this.#done.splice(0)
  }
}

/**
 * The thread, and who waits for what of it. One port serves all: a port of each CPU's own would have to be closed when the
 * CPU is done with, of which nobody is told.
 */
class CompilerThread {
  readonly #port: MessagePort
  /** By the thread's number of a request: the requester's number, and where its translation goes. */
  readonly #waiting = new Map<number, { id: number; done: Translation[] }>()
  #nextId = 0

  constructor() {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: port2, transferList: [port2] })
    // It keeps no process from ending.
    worker.unref()
  }

  submit(request: TranslationRequest, done: Translation[]): void {
    const id = this.#nextId++
    this.#waiting.set(id, { id: request.id, done })
    this.#port.postMessage({ ...request, id })
  }

  receive(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port)
      if (received === undefined) return
      const translation = received.message as Translation
      const { id, done } = this.#waiting.get(translation.id)!
      this.#waiting.delete(translation.id)
      done.push({ ...translation, id })
    }
  }
}

let thread: CompilerThread | undefined

/** The thread is the process's, not a CPU's: starting one takes a good part of a second. */
function sharedThread(): CompilerThread {
  thread ??= new CompilerThread()
  return thread
}
