/**
 * The samples of all repetitions, by case and side.
 */
import type { CaseName, Side } from './cases.ts'
import type { Sample } from './sample.ts'

/** One sample a repetition; undefined where the run failed. */
export type Samples = readonly (Sample | undefined)[]

export class Results {
  readonly repetitions: number
  readonly #samples = new Map<string, (Sample | undefined)[]>()

  constructor(repetitions: number) {
    this.repetitions = repetitions
  }

  add(repetition: number, name: CaseName, side: Side, sample: Sample): void {
    const key = `${name} ${side}`
    const samples = this.#samples.get(key) ?? new Array<Sample | undefined>(this.repetitions).fill(undefined)
    samples[repetition] = sample
    this.#samples.set(key, samples)
  }

  samples(name: CaseName, side: Side): Samples {
    return this.#samples.get(`${name} ${side}`) ?? []
  }

  /** A figure of each repetition. */
  figures(name: CaseName, side: Side, figure: (sample: Sample) => number | undefined): (number | undefined)[] {
    return this.samples(name, side).map((sample) => sample && figure(sample))
  }
}

/** Figures of the repetitions that have them. */
export function present(figures: readonly (number | undefined)[]): number[] {
  return figures.filter((figure) => figure !== undefined)
}
