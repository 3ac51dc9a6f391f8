/**
 * The machine of a recording, for a thread that replays a part of it: what translates comes up while all else is loaded.
 */
import type { MakeMachine } from '../../orchestrator/mod.ts'
import { startTranslating } from './early-translation.ts'
import { readImages } from './recorded-images.ts'

startTranslating()

export const makeMachine: MakeMachine = async (recording) => {
  const images = readImages(recording)
  const { recordedHotCode } = await import('./hot-code.ts')
  const { recordedMachine } = await import('./machine.ts')
  const { CachedCode, recordedGuestName } = await import('./cached-code.ts')
  const cached = new CachedCode(recordedGuestName(recording))
  process.once('exit', () => cached.keep())
  const { machineCode, liftedCode } = cached
  return recordedMachine(recording, images, { hotCode: await recordedHotCode(recording), machineCode, liftedCode })
}
