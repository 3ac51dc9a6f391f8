/**
 * The thread that translates for all `BackgroundCompiler`s: requests come, and translations go, through the port that it was
 * started with.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
// biome-ignore lint/style/noRestrictedImports: where and when code is translated is no part of what a guest sees
import { type MessagePort, workerData } from 'node:worker_threads'
import { type TranslationRequest, translateRegion } from './translate.ts'

/** Each module's machine code lives as long as this thread's handle of it, which costs its own collector next to nothing. */
const TRANSLATIONS_BEFORE_COLLECTION = 256

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const port = workerData as MessagePort
let translations = 0

port.on('message', (request: TranslationRequest) => {
  port.postMessage(translateRegion(request))
  if (++translations % TRANSLATIONS_BEFORE_COLLECTION === 0) collectGarbage()
})
