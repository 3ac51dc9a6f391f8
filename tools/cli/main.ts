/**
 * The `ananke` command. What threads it is likely to want come up while all else is loaded.
 */
import { startThreads } from './early-start.ts'

startThreads(process.argv.slice(2))
const { runCommandLine } = await import('./command-line.ts')
await runCommandLine()
