/**
 * From a board's name, its options and its images to a machine: the same for a live run, and for a recording's replay.
 */
import { createCpu, HotCode } from '../../cpu-node/mod.ts'
import { type BoardDefinition, boards } from '../../device-nodes/mod.ts'
import type { MachineSpec } from '../../orchestrator/mod.ts'
import type { Recording } from '../../replay-store/mod.ts'
import { UserError } from '../errors.ts'
import { type KernelImage, readKernel } from '../images/kernel.ts'
import { machineNames } from './machine-names.ts'
import { KERNEL_IMAGE, readImages } from './recorded-images.ts'

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

/**
 * The machine that was recorded.
 * @throws StoreError if its images are damaged.
 */
export async function recordedMachine(
  recording: Recording,
  images = readImages(recording),
  hotCode?: Promise<HotCode>,
): Promise<MachineSpec> {
  const { board, memoryBytes } = recording.manifest
  const [kernelFile, initrd, known] = await Promise.all([images.kernel, images.initrd, hotCode])
  const name = `${recording.directory}, image ${KERNEL_IMAGE}`
  const kernel = kernelFile && (await readKernel(name, kernelFile, { lowMemoryBytes: memoryBytes }))
  return buildMachine(board.name, board.options, { ...(kernel && { kernel }), ...(initrd && { initrd }) }, known)
}
