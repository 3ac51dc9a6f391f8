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
const WORDS_OF_ANY_REPLAY: readonly string[] = ['--verify', '--console', '--json', '--mode', '--mode=cpu']

/**
 * The thread that translates. A replay whose regions are kept has nothing to translate as a rule: it comes up once it is asked. In a
 * live run a program may be new, and would wait for it: 0.3 s more where `sha256` was.
 */
export function startTranslating(isReplay: boolean): void {
  if (!isReplay || !existsSync(codeDirectory())) compilerThread()
}

/** Those that the command of these words is likely to want. Where the guess is wrong, one is for nothing, or comes up later. */
export function startThreads([command, ...words]: readonly string[]): void {
  if (!RUNS_A_GUEST.includes(command)) return
  startTranslating(command === 'replay')
  if (command !== 'replay' || availableParallelism() === 1) return
  const isModeCpu = (word: string, index: number) => word === 'cpu' && words[index - 1] === '--mode'
  const [recording, ...others] = words.filter((word, at) => !WORDS_OF_ANY_REPLAY.includes(word) && !isModeCpu(word, at))
  if (recording === undefined || others.length > 0 || !existsSync(checkpointsPath(recording))) return
  startPartWorker(recordedMachineModule.url)
}
