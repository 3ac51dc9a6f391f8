/**
 * The thread that translates for all CPUs of the process, as they see it.
 */
// biome-ignore lint/style/noRestrictedImports: where and when code is translated is no part of what a guest sees
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { Translation, TranslationRequest } from './translator/translate.ts'

/** What the thread is started with. */
export interface CompilerThreadData {
  port: MessagePort
  /** Counts what it has sent. */
  sent: Int32Array
}

/**
 * The thread, and who waits for what of it. One port serves all: a port of each CPU's own would have to be closed when the
 * CPU is done with, of which nobody is told.
 */
export class CompilerThread {
  readonly #port: MessagePort
  /** How many translations the thread has sent, in memory that both share: whether there is one is asked at every run of code. */
  readonly #sent = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  #received = 0
  /** By the thread's number of a request: the requester's number, and where its translation goes. */
  readonly #waiting = new Map<number, { id: number; done: Translation[] }>()
  #nextId = 0

  constructor() {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const workerData: CompilerThreadData = { port: port2, sent: this.#sent }
    const worker = new Worker(new URL('./translator/worker.ts', import.meta.url), {
      workerData,
      transferList: [port2],
    })
    // It keeps no process from ending.
    worker.unref()
  }

  submit(request: TranslationRequest, done: Translation[]): void {
    const id = this.#nextId++
    this.#waiting.set(id, { id: request.id, done })
    this.#port.postMessage({ ...request, id })
  }

  receive(): void {
    while (this.#received !== Atomics.load(this.#sent, 0)) {
      const translation = receiveMessageOnPort(this.#port)!.message as Translation
      this.#received++
      const { id, done } = this.#waiting.get(translation.id)!
      this.#waiting.delete(translation.id)
      done.push({ ...translation, id })
    }
  }
}

let thread: CompilerThread | undefined

/**
 * The thread is the process's, not a CPU's: starting one takes a good part of a second. The first call starts it.
 */
export function compilerThread(): CompilerThread {
  thread ??= new CompilerThread()
  return thread
}
