/**
 * The samples of all rounds, by case and side.
 */
import type { CaseName, Side } from './cases.ts'
import type { Sample } from './sample.ts'

/** One sample a round; undefined where there was no such run, or it failed. */
export type Samples = readonly (Sample | undefined)[]

export class Results {
  readonly rounds: number
  readonly #samples = new Map<string, (Sample | undefined)[]>()

  constructor(rounds: number) {
    this.rounds = rounds
  }

  add(round: number, name: CaseName, side: Side, sample: Sample): void {
    const key = `${name} ${side}`
    const samples = this.#samples.get(key) ?? new Array<Sample | undefined>(this.rounds).fill(undefined)
    samples[round] = sample
    this.#samples.set(key, samples)
  }

  samples(name: CaseName, side: Side): Samples {
    return this.#samples.get(`${name} ${side}`) ?? []
  }

  /** A figure of each round. */
  figures(name: CaseName, side: Side, figure: (sample: Sample) => number | undefined): (number | undefined)[] {
    return this.samples(name, side).map((sample) => sample && figure(sample))
  }
}

/** Figures of the rounds that have them. */
export function present(figures: readonly (number | undefined)[]): number[] {
  return figures.filter((figure) => figure !== undefined)
}
