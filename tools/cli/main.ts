/**
 * The `ananke` command. Commands that run a guest want the thread that translates: it comes up while all else is loaded.
 */
import { compilerThread } from '../../cpu-node/compiler-thread.ts'

const RUNS_A_GUEST: readonly (string | undefined)[] = ['boot', 'record', 'replay']

if (RUNS_A_GUEST.includes(process.argv[2])) compilerThread()
const { runCommandLine } = await import('./command-line.ts')
await runCommandLine()
