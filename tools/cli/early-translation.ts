/**
 * When the thread that translates is started.
 */
import { existsSync } from 'node:fs'
import { compilerThread } from '../../cpu-node/compiler-thread.ts'
import { codeDirectory } from '../guests/cache-directory.ts'

/**
 * Has it come up while all else is loaded. A replay whose machine code is kept has nothing to translate as a rule: there it comes up
 * once it is asked.
 */
export function startTranslating(isReplay: boolean): void {
  if (!isReplay || !existsSync(codeDirectory())) compilerThread()
}
