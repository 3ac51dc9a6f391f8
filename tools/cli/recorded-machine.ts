/**
 * The machine of a recording: what the command line replays, and each thread of a replay in parts.
 */
import type { MakeMachine, RecordedMachine } from '../../orchestrator/mod.ts'
import type { Recording } from '../../replay-store/mod.ts'
import { recordedHotCode } from './hot-code.ts'
import { recordedMachine } from './machine.ts'
import { type RecordedImages, readImages } from './recorded-images.ts'

export const makeMachine: MakeMachine = async (recording) => await machineOf(recording, readImages(recording))

/** @param images the recording's, being read */
export async function machineOf(recording: Recording, images: RecordedImages): Promise<RecordedMachine> {
  return recordedMachine(recording, images, await recordedHotCode(recording))
}
