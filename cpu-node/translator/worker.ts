/**
 * The thread that translates for `BackgroundCompiler`s: each sends it a port, and requests through that.
 */
// biome-ignore lint/style/noRestrictedImports: where and when code is translated is no part of what a guest sees
import { type MessagePort, parentPort } from 'node:worker_threads'
import { type TranslationRequest, translateRegion } from './translate.ts'

parentPort!.on('message', (port: MessagePort) => {
  port.on('message', (request: TranslationRequest) => port.postMessage(translateRegion(request)))
})
