/**
 * From a board's name, its options and its images to a machine: the same for a live run, and for a recording's replay.
 */
import type { Board, CreateCpu } from '../../bus/mod.ts'
import { createCpu, type TierOptions } from '../../cpu-node/mod.ts'
import { type BoardDefinition, boards, type GuestImages } from '../../device-nodes/mod.ts'
import type { MachineSpec, RecordedMachine } from '../../orchestrator/mod.ts'
import type { Recording } from '../../replay-store/mod.ts'
import { UserError } from '../errors.ts'
import { readKernel } from '../images/kernel.ts'
import { hostOverlay } from '../images/overlay.ts'
import { machineNames } from './machine-names.ts'
import { KERNEL_IMAGE, type RecordedImages } from './recorded-images.ts'

/** @param machine one of `machineNames` */
export function boardNamed(machine: string): BoardDefinition {
  const board = boards[machine]
  if (board === undefined) {
    throw new UserError(`no machine is called '${machine}'; there is ${machineNames.join(', ')}`)
  }
  return board
}

/**
 * @param tiers what earlier runs found and made; it takes what this one does
 * @throws BoardOptionsError if the options or images do not fit the board.
 */
export function buildMachine(
  machine: string,
  options: Readonly<Record<string, unknown>>,
  images: GuestImages,
  tiers: TierOptions = {},
): MachineSpec {
  const { board, loads } = boardNamed(machine).build(options)
  return { board, loads: loads(images), createCpu: cpuWith(tiers), overlay: hostOverlay() }
}

/** The machine that was recorded; its `loads` throws a `StoreError` if its images are damaged. */
export function recordedMachine(recording: Recording, images: RecordedImages, tiers: TierOptions): RecordedMachine {
  const { board: recorded, memoryBytes, gridNs, hashNs } = recording.manifest
  const { board, loads } = boardNamed(recorded.name).build(recorded.options)
  const name = `${recording.directory}, image ${KERNEL_IMAGE}`
  return {
    // A board's grid may have been another then.
    board: { ...board, gridNs, hashNs },
    async loads() {
      const drives = (recording.manifest.drives ?? []).map(({ name }) => recording.drive(name))
      const [file, initrd] = await Promise.all([images.kernel?.(), images.initrd?.()])
      const kernel = file && (await readKernel(name, file, { lowMemoryBytes: memoryBytes }))
      return loads({ ...(kernel && { kernel }), ...(initrd && { initrd }), drives })
    },
    createCpu: cpuWith(tiers),
    overlay: hostOverlay(),
  }
}

/** The board that was recorded. */
export function recordedBoard({ manifest }: Recording): Board {
  return boardNamed(manifest.board.name).build(manifest.board.options).board
}

function cpuWith(tiers: TierOptions): CreateCpu {
  return ({ board, clock, backingBytes }) => createCpu({ ...board, clock, backingBytes, tiers })
}
