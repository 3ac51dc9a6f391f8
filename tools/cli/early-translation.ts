/**
 * When the thread that translates is started.
 */
import { existsSync } from 'node:fs'
import { compilerThread } from '../../cpu-node/compiler-thread.ts'
import { codeDirectory } from '../guests/cache-directory.ts'

/**
 * Has it come up while all else is loaded. A run whose regions are kept has nothing to translate as a rule: where there are any of
 * earlier runs it comes up once it is asked.
 */
export function startTranslating(): void {
  if (!existsSync(codeDirectory())) compilerThread()
}
