/**
 * The machine code that V8's optimising compiler made of regions, kept by whoever runs machines for later runs: with it a region
 * is there within 0.2 ms of the CPU's own thread and as good as it gets, without another thread that lifts, emits and compiles.
 *
 * V8 says by itself whether machine code is of its version, its flags and this processor, not whether it is of its module:
 * it is to come from who may run programs as this user, never with a recording.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import type { RegionCode, Translation, TranslationRequest } from './translate.ts'

/** What is stored of a region. */
export interface StoredRegion {
  /** Where its blocks begin, in the order of their numbers: `Translation.pcs`. */
  pcs: Int32Array
  /** Its module, in WebAssembly's binary format. */
  wasm: Uint8Array
  /** What V8 made of it. */
  machineCode: Uint8Array
}

/** What machine code is made from, but for the request's own number. */
export type RegionSource = Omit<TranslationRequest, 'id' | 'optimized'>

interface Addon {
  serialize(module: WebAssembly.Module): Uint8Array | undefined
  wireBytes(module: WebAssembly.Module): Uint8Array
  deserialize(wasm: Uint8Array, machineCode: Uint8Array): WebAssembly.Module | undefined
  trim(): void
}

/** Why there is no addon, or it. */
const addon: Addon | Error = loadAddon()

function loadAddon(): Addon | Error {
  try {
    return createRequire(import.meta.url)('../../build/machine-code.node') as Addon
  } catch (error) {
    return error as Error
  }
}

/** Why machine code can not be kept here: the addon for it was not built, or not for this Node. */
export const machineCodeLacks: Error | undefined = addon instanceof Error ? addon : undefined

/** Gives back to the host what is free of the C library's heaps, where that can be done. */
export function trimHeaps(): void {
  if (!(addon instanceof Error)) addon.trim()
}

/** Modules made, of which no more may be in use, before those that are gone are looked for. */
const MADE = 2048
/** Of modules made, so many are kept whether they are in use or not: the first, which every run of the guest comes to. */
const HELD = 512
export class MachineCode {
  readonly #stored: (key: string) => StoredRegion | undefined
  /** Keys of what was stored and taken from there. */
  readonly taken = new Set<string>()
  /** By key, what this run has made. Its instance keeps a module; in a long run most that are not used any more are gone. */
  readonly #made = new Map<string, { module: WeakRef<WebAssembly.Module>; pcs: readonly number[] }>()
  readonly #held: WebAssembly.Module[] = []
  #mostMade = MADE
  #isRefused = false

  /** `stored`: what is stored by a key, if anything. */
  constructor(stored: (key: string) => StoredRegion | undefined) {
    assert(!(addon instanceof Error))
    this.#stored = stored
  }

  /** V8 has no use for what is stored: none is taken any more. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  /** The translation that is stored of a region. */
  find(source: RegionSource): Omit<Translation, 'id'> | undefined {
    if (this.#isRefused) return undefined
    const key = keyOf(source)
    const stored = this.#stored(key)
    if (stored === undefined) return undefined
    const module = (addon as Addon).deserialize(stored.wasm, stored.machineCode)
    if (module === undefined) {
      // It goes on compiling it aside: once is enough.
      this.#isRefused = true
      return undefined
    }
    this.taken.add(key)
    return { module, pcs: [...stored.pcs] }
  }

  /** `translation` was made of `source`. */
  add(source: RegionSource, { module, pcs }: Translation): void {
    if (module === undefined) return
    this.#made.set(keyOf(source), { module: new WeakRef(module), pcs })
    if (this.#held.length < HELD) this.#held.push(module)
    if (this.#made.size < this.#mostMade) return
    for (const [key, { module }] of this.#made) if (module.deref() === undefined) this.#made.delete(key)
    this.#mostMade = Math.max(MADE, 2 * this.#made.size)
  }

  /** What this run has made and V8 has optimised by now, by key. */
  *made(): Iterable<readonly [string, StoredRegion]> {
    const { serialize, wireBytes } = addon as Addon
    for (const [key, { module, pcs }] of this.#made) {
      const used = module.deref()
      const machineCode = used && serialize(used)
      if (machineCode !== undefined) {
        yield [key, { pcs: Int32Array.from(pcs), wasm: wireBytes(used!), machineCode }]
      }
    }
  }
}

/** The same for the same guest code, translated for CPUs alike. */
function keyOf({ code, layout, window, memoryPages }: RegionSource): string {
  const { kind, pcs, lengths, targets, words, byCall }: RegionCode = code
  const hash = createHash('sha256')
  hash.update(JSON.stringify([kind, layout, window, memoryPages, pcs.length, words.length, byCall.length]))
  for (const part of [pcs, lengths, targets, words, byCall]) hash.update(part)
  return hash.digest('base64')
}
