/**
 * The machine of a recording, for a thread that replays a part of it: what translates comes up while all else is loaded.
 */
import type { MakeMachine } from '../../orchestrator/mod.ts'
import { startTranslating } from './early-translation.ts'
import { readImages } from './recorded-images.ts'

startTranslating(true)

export const makeMachine: MakeMachine = async (recording) => {
  const images = readImages(recording)
  const { recordedHotCode } = await import('./hot-code.ts')
  const { recordedMachine } = await import('./machine.ts')
  const { CachedMachineCode } = await import('./machine-code.ts')
  const cached = new CachedMachineCode()
  process.once('exit', () => cached.keep())
  return recordedMachine(recording, images, {
    hotCode: await recordedHotCode(recording),
    machineCode: cached.machineCode,
  })
}
