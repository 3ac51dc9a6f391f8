/**
 * The registers of the hot loop, and the guest's program counter, as JavaScript sees them. Places in the code arena are in words
 * here, and in bytes in the loop.
 *
 * Accessors of a class of its own: V8 calls its runtime for each use of a private one, which takes ten times as long.
 */
import { SCRATCH } from '../memory.ts'

const REMAINING = SCRATCH.remaining / 4
const IP = SCRATCH.ip / 4
const BLOCK = SCRATCH.block / 4
const BASE = SCRATCH.base / 4

export class LoopRegisters {
  readonly #state: Int32Array
  readonly #pc: number

  /** @param pcOffset where in `state` the guest's program counter is, in bytes */
  constructor(state: Int32Array, pcOffset: number) {
    this.#state = state
    this.#pc = pcOffset / 4
  }

  /** Instructions before the limit. */
  get remaining(): number {
    return this.#state[REMAINING]!
  }

  set remaining(instructions: number) {
    this.#state[REMAINING] = instructions
  }

  /** The micro-op at hand. */
  get ip(): number {
    return this.#state[IP]! >>> 2
  }

  set ip(place: number) {
    this.#state[IP] = 4 * place
  }

  /** The block under way. */
  get block(): number {
    return this.#state[BLOCK]! >>> 2
  }

  set block(place: number) {
    this.#state[BLOCK] = 4 * place
  }

  /** What is added to the addresses that the block under way counts. */
  get base(): number {
    return this.#state[BASE]!
  }

  set base(address: number) {
    this.#state[BASE] = address
  }

  /** The program counter in the guest's state, signed: that of the next block, while none is under way. */
  get pc(): number {
    return this.#state[this.#pc]!
  }
}
