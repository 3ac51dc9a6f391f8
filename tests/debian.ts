/**
 * The start of a Debian boot on a bus of its own, for tests of the CPU node: no console, no world, any CPU.
 */
import { type Cpu, LocalBus, type Message } from '../bus/mod.ts'
import type { CpuOptions } from '../cpu-node/mod.ts'
import { boards } from '../device-nodes/mod.ts'
import { guestNamed, LOW_MEMORY_BYTES, loadGuest, readKernel } from '../tools/mod.ts'

/** What the console shows when it has booted. */
export const PROMPT = '~ #'
const SLICE_INSTRUCTIONS = 3_000_000

const guest = guestNamed('debian-mipsel')

export interface DebianBoot {
  /** Boots it on a CPU as `makeCpu` makes it, with what `append` is given each message. */
  start(makeCpu: (options: CpuOptions) => Cpu, append: (message: Message) => void): LocalBus
}

/** Reads the guest's images, after fetching them if they are not in the cache. */
export async function debianBoot(): Promise<DebianBoot> {
  const images = await loadGuest(guest, () => {})
  const kernel = await readKernel(guest.name, images.kernel, { lowMemoryBytes: LOW_MEMORY_BYTES })
  return {
    start(makeCpu, append) {
      const { append: commandLine, memoryBytes } = guest
      const { board, loads } = boards['malta']!.build({ append: commandLine, memoryBytes })
      return new LocalBus({
        board,
        loads: loads({ kernel, initrd: images.initrd }),
        createCpu: ({ board, clock, backingBytes }) => makeCpu({ ...board, clock, backingBytes }),
        sources: [],
        sink: { append },
      })
    },
  }
}

export function runTo(bus: LocalBus, icount: number): void {
  while (bus.icount < icount) bus.runSlice({ maxInstructions: Math.min(SLICE_INSTRUCTIONS, icount - bus.icount) })
}
