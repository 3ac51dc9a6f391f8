/**
 * The `ananke` command. Commands that run a guest want the thread that translates: it comes up while all else is loaded.
 */
import { startTranslating } from './early-translation.ts'

const RUNS_A_GUEST: readonly (string | undefined)[] = ['boot', 'record', 'replay']

if (RUNS_A_GUEST.includes(process.argv[2])) startTranslating()
const { runCommandLine } = await import('./command-line.ts')
await runCommandLine()
