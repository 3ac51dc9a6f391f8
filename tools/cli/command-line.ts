/**
 * From words to commands, and from errors to one line and an exit status.
 */
import { CommanderError } from 'commander'
import { reportFailure, STATUS_OK, STATUS_USAGE } from './failure.ts'
import { drainOutput, watchStandardOutput } from './output.ts'
import { makeProgram } from './program.ts'

/** Does what the process's arguments ask for, and ends the process. */
export async function runCommandLine(): Promise<never> {
  watchStandardOutput()
  // A limit on the size of files is met like a full disk, by the write that fails.
  process.on('SIGXFSZ', () => {})
  try {
    await makeProgram().parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) {
      // commander has said it already; help that was asked for is no failure.
      process.exitCode = error.exitCode === 0 ? STATUS_OK : STATUS_USAGE
    } else {
      process.exitCode = reportFailure(error)
    }
  }
  await drainOutput()
  // Left to itself, Node first takes heap and threads apart piece by piece.
  process.exit()
}
