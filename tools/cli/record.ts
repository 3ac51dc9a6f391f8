/**
 * The recording of a live run: of which images, where, and what it keeps of the machine's drives.
 */
import { resolve } from 'node:path'
import { type MachineSpec, nodeNames } from '../../orchestrator/mod.ts'
import { type DriveImage, type Image, RecordingWriter } from '../../replay-store/mod.ts'
import type { Drive } from '../images/drive.ts'
import type { Progress } from './progress.ts'
import { INITRD_IMAGE, KERNEL_IMAGE } from './recorded-images.ts'
import type { BootRequest } from './request.ts'
import { version } from './version.ts'

/** The images of the machine's drives, with what tells them from others. */
export async function hashDrives(
  { loads }: MachineSpec,
  drives: readonly Drive[],
  progress: Progress,
): Promise<DriveImage[]> {
  const images: DriveImage[] = []
  for (const [i, load] of loads.filter((each) => 'storage' in each).entries()) {
    const { path, image, sha256: known } = drives[i]!
    const sha256 = known ?? (await image.sha256((fraction) => progress.update(`hashing ${path}`, fraction)))
    images.push({ name: load.storage, image, path: resolve(path), sha256 })
  }
  progress.clear()
  return images
}

/** The same machine, whose recording keeps what it reads of its drives. */
export function withRecordedDrives(machine: MachineSpec, recording: RecordingWriter): MachineSpec {
  const loads = machine.loads.map((load) =>
    'storage' in load ? { ...load, image: recording.drive(load.storage) } : load,
  )
  return { ...machine, loads }
}

export function startRecording(
  directory: string,
  request: BootRequest,
  { board }: MachineSpec,
  drives: readonly DriveImage[],
): RecordingWriter {
  const { machine, options, guest, memoryBytes, startSeconds, script } = request
  const { kernelFile, kernelHash, initrd, initrdHash } = request
  const images: Image[] = [{ name: KERNEL_IMAGE, bytes: kernelFile, sha256: kernelHash }]
  if (initrd !== undefined) {
    images.push({ name: INITRD_IMAGE, bytes: initrd, ...(initrdHash !== undefined && { sha256: initrdHash }) })
  }
  return RecordingWriter.begin(
    directory,
    {
      createdWith: version,
      board: { name: machine, options },
      guest,
      nsPerInstruction: board.nsPerInstruction,
      gridNs: board.gridNs,
      hashNs: board.hashNs,
      memoryBytes,
      rtcSeconds: startSeconds,
      nodes: nodeNames(board),
      ...(script !== undefined && { script: script.text }),
    },
    images,
    { isThreaded: true, drives },
  )
}
