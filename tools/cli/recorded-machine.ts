/**
 * The machine of a recording, for a thread that replays a part of it.
 */
import type { MakeMachine } from '../../orchestrator/mod.ts'
import { CachedCode, recordedGuestName } from './cached-code.ts'
import { startTranslating } from './early-start.ts'
import { recordedHotCode } from './hot-code.ts'
import { recordedMachine } from './machine.ts'
import { readImages } from './recorded-images.ts'

startTranslating(true)

export const makeMachine: MakeMachine = async (recording) => {
  const images = readImages(recording)
  const cached = new CachedCode(recordedGuestName(recording))
  process.once('exit', () => cached.keep())
  const { machineCode, liftedCode } = cached
  return recordedMachine(recording, images, { hotCode: await recordedHotCode(recording), machineCode, liftedCode })
}
