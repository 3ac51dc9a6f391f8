/**
 * An editor of journals: makes recordings that are sound files of something that did not happen, to show that a replay
 * catches it.
 */
import type { Message } from '../bus/mod.ts'
import type { ManifestInput } from './manifest.ts'
import { Recording } from './recording.ts'
import { RecordingWriter, type WriterOptions } from './recording-writer.ts'

/** What becomes of an entry: itself, another message, or `undefined`: it is left out. It must not change its argument. */
export type EntryEdit = (message: Message, index: number) => Message | undefined

/**
 * Copies the recording in directory `source` to the new directory `destination`, entry by entry through `edit`, with all
 * checksums and the identity made anew. The end's digest stays what it was. Edited entries must still be in order.
 */
export async function rewriteRecording(
  source: string,
  destination: string,
  edit: EntryEdit,
  options: WriterOptions = {},
): Promise<Recording> {
  const from = Recording.open(source)
  const { format: _, formatVersion: __, images, end, ...rest } = from.manifest
  const input: ManifestInput = rest
  const writer = RecordingWriter.create(
    destination,
    input,
    images.map(({ name }) => ({ name, bytes: from.image(name) })),
    options,
  )
  let index = 0
  for (const message of from.entries()) {
    const edited = edit(message, index++)
    if (edited !== undefined) writer.append(edited)
  }
  if (end === undefined) {
    await writer.abandon()
  } else {
    const { entries: _entries, identity: _identity, ...runEnd } = end
    await writer.close(runEnd)
  }
  return Recording.open(destination)
}
