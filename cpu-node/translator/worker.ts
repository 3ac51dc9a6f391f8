/**
 * The thread that translates for all `BackgroundCompiler`s: requests come, and translations go, through the port that it was
 * started with.
 */
// biome-ignore lint/style/noRestrictedImports: where and when code is translated is no part of what a guest sees
import { workerData } from 'node:worker_threads'
import type { CompilerThreadData } from '../compiler-thread.ts'
import { ReleasedModules } from './released-modules.ts'
import { type TranslationRequest, translateRegion } from './translate.ts'

const { port, sent } = workerData as CompilerThreadData
const released = new ReleasedModules()

port.on('message', (request: TranslationRequest) => {
  port.postMessage(translateRegion(request))
  Atomics.add(sent, 0, 1)
  released.add()
})
