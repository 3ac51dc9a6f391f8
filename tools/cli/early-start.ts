/**
 * Threads that come up while all else is loaded.
 */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { compilerThread } from '../../cpu-node/compiler-thread.ts'
import { startPartWorker } from '../../orchestrator/part-worker.ts'
import { checkpointsPath } from '../../replay-store/layout.ts'
import { codeDirectory } from '../guests/cache-directory.ts'

/** Makes a recording's machine, on a thread. */
export const recordedMachineModule = { url: new URL('./recorded-machine.ts', import.meta.url).href }

const RUNS_A_GUEST: readonly (string | undefined)[] = ['boot', 'record', 'replay']
/** Of `ananke replay`: with these a replay in parts is in parts all the same. */
const WORDS_OF_ANY_REPLAY: readonly string[] = ['--verify', '--console', '--json']

/**
 * The thread that translates. A run whose regions are kept has nothing to translate as a rule: where there are any of earlier runs
 * it comes up once it is asked.
 */
export function startTranslating(): void {
  if (!existsSync(codeDirectory())) compilerThread()
}

/** What the command that these words are is likely to want. A guess: what it does not want is for nothing, what it lacks comes up later. */
export function startThreads([command, ...words]: readonly string[]): void {
  if (!RUNS_A_GUEST.includes(command)) return
  startTranslating()
  if (command !== 'replay' || availableParallelism() === 1) return
  const [recording, ...others] = words.filter((word) => !WORDS_OF_ANY_REPLAY.includes(word))
  if (recording === undefined || others.length > 0 || !existsSync(checkpointsPath(recording))) return
  startPartWorker(recordedMachineModule.url)
}
