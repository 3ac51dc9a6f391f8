/**
 * Marks in what a console prints: a prompt, the line that ends a workload.
 */

/** A mark that came. */
export interface FoundMark {
  /** Which of the marks, from 0. */
  index: number
  /** What was printed after the mark before, up to and including this one: one character a byte. */
  text: string
}

/** Characters kept while a mark is waited for; more means that it will not come. */
const HEARD_CHARACTERS = 1 << 24

/**
 * Looks for marks in order, each after the end of the one before, however the output is cut into pieces. Carriage
 * returns count for nothing, as in an input script.
 */
export class ConsoleMarks {
  readonly #marks: readonly string[]
  #next = 0
  /** What came after the last mark. */
  #heard = ''
  /** How far into `heard` the next mark cannot begin. */
  #searched = 0

  constructor(marks: readonly string[]) {
    this.#marks = marks
  }

  /** Whether every mark has come. */
  get finished(): boolean {
    return this.#next >= this.#marks.length
  }

  /** Output after the last mark, for messages. */
  get rest(): string {
    return this.#heard
  }

  /** Takes a piece of output; gives the marks that it completes. */
  hear(bytes: Uint8Array): FoundMark[] {
    this.#heard += Buffer.from(bytes).toString('latin1').replaceAll('\r', '')
    const found: FoundMark[] = []
    for (let mark = this.#marks[this.#next]; mark !== undefined; mark = this.#marks[this.#next]) {
      const at = this.#heard.indexOf(mark, this.#searched)
      if (at < 0) {
        this.#searched = Math.max(0, this.#heard.length - mark.length + 1)
        break
      }
      const end = at + mark.length
      found.push({ index: this.#next, text: this.#heard.slice(0, end) })
      this.#heard = this.#heard.slice(end)
      this.#searched = 0
      this.#next++
    }
    if (this.#heard.length > HEARD_CHARACTERS) {
      this.#heard = this.#heard.slice(-HEARD_CHARACTERS / 2)
      this.#searched = 0
    }
    return found
  }
}
