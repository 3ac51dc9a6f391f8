/**
 * From a board's name, its options and its images to a machine: the same for a live run, and for a recording's replay.
 */
import { createCpu, HotCode } from '../../cpu-node/mod.ts'
import { type BoardDefinition, boards } from '../../device-nodes/mod.ts'
import type { MachineSpec } from '../../orchestrator/mod.ts'
import type { Recording } from '../../replay-store/mod.ts'
import { UserError } from '../errors.ts'
import { type KernelImage, readKernel } from '../images/kernel.ts'

/** Names of a recording's images. The kernel is kept as it was given, compressed or not. */
export const KERNEL_IMAGE = 'kernel'
export const INITRD_IMAGE = 'initrd'

export const machineNames: readonly string[] = Object.keys(boards)

/** @param machine one of `machineNames` */
export function boardNamed(machine: string): BoardDefinition {
  const board = boards[machine]
  if (board === undefined) {
    throw new UserError(`no machine is called '${machine}'; there is ${machineNames.join(', ')}`)
  }
  return board
}

/**
 * @param hotCode what earlier runs found worth translating; it takes what this one finds
 * @throws BoardOptionsError if the options or images do not fit the board.
 */
export function buildMachine(
  machine: string,
  options: Readonly<Record<string, unknown>>,
  images: { kernel?: KernelImage; initrd?: Uint8Array },
  hotCode = new HotCode(),
): MachineSpec {
  const { board, loads } = boardNamed(machine).build(options, images)
  return {
    board,
    loads,
    createCpu: ({ board: cpu, clock, backingBytes }) => createCpu({ ...cpu, clock, backingBytes, tiers: { hotCode } }),
  }
}

export interface RecordedMachine {
  machine: MachineSpec
  /** Fails with a `StoreError` if an image is not the one that was recorded. Nobody may be told of a run before that. */
  checked: Promise<void>
}

/**
 * The machine that was recorded. Its images are checked against their hashes meanwhile.
 * @throws StoreError if they are damaged.
 */
export async function recordedMachine(recording: Recording, hotCode?: Promise<HotCode>): Promise<RecordedMachine> {
  const { board, images, memoryBytes } = recording.manifest
  const load = (name: string) => (images.some((image) => image.name === name) ? recording.loadImage(name) : undefined)
  const [kernel, initrd, known] = await Promise.all([load(KERNEL_IMAGE), load(INITRD_IMAGE), hotCode])
  const checked = Promise.all([kernel?.checked, initrd?.checked]).then(() => {})
  checked.catch(() => {})
  try {
    const guest = {
      ...(kernel && {
        kernel: await readKernel(`${recording.directory}, image ${KERNEL_IMAGE}`, kernel.bytes, {
          lowMemoryBytes: memoryBytes,
        }),
      }),
      ...(initrd && { initrd: initrd.bytes }),
    }
    return { machine: buildMachine(board.name, board.options, guest, known), checked }
  } catch (error) {
    // What is damaged may be anything: that it is damaged comes first.
    await checked
    throw error
  }
}
