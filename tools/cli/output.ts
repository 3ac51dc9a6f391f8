/**
 * Standard output and standard error, as the command line uses them: results on the one, progress and errors on the
 * other, and a reader who has gone away (`ananke log a.ank | head`) is no error.
 */
let readerGone = false

/** Whether whoever read standard output has closed it. */
export function isReaderGone(): boolean {
  return readerGone
}

/** Call once, before anything is written. */
export function watchStandardOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    readerGone = true
  })
  // Nobody is left to be told.
  process.stderr.on('error', () => {})
}

/** Writes to standard output, and waits until its reader has taken it or has gone away. */
export async function print(text: string): Promise<void> {
  if (readerGone) return
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()))
}

export async function printLine(text: string): Promise<void> {
  await print(`${text}\n`)
}

/** Waits until all that was written has left the process. */
export async function drainOutput(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0 && !stream.destroyed) {
      await new Promise<void>((resolve) => stream.write('', () => resolve()))
    }
  }
}

/** A note beside the results. */
export function note(text: string): void {
  process.stderr.write(`ananke: ${text}\n`)
}
