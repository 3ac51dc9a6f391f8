/**
 * The second stage of a Debian system, done by the machine itself: dpkg installs what the first stage unpacked.
 */
import { open, readFile } from 'node:fs/promises'
import type { MachineContents } from '../../../bus/mod.ts'
import { parseScript, Typist } from '../../../device-nodes/mod.ts'
import { type MachineSpec, runLive } from '../../../orchestrator/mod.ts'
import { buildMachine } from '../../cli/machine.ts'
import { LOW_MEMORY_BYTES } from '../../cli/request.ts'
import { GuestError } from '../../errors.ts'
import { DriveFile, writeBlocks } from '../../images/drive.ts'
import { readKernel } from '../../images/kernel.ts'
import type { ReportStage } from '../apt.ts'
import type { InstalledGuest } from '../guests.ts'
import { type FirstStage, SECOND_STAGE_WORDS } from './first-stage.ts'

const SECTOR_BYTES = 512
const CONSOLE = 'uart0'
const STORAGE = 'ide.disk0'
/** Some minutes of the guest's; in an hour it has got stuck. */
const SCRIPT = 'limit 3600\nexpect reboot: Power down\n'
const DONE = 'second stage: done'
/** What dpkg prints once for each package as it unpacks it, and once as it configures it. */
const PROGRESS = /^(?:Unpacking|Setting up) /
/** Of the console, for whoever has to find out why it failed. */
const TAIL_LINES = 8

/** Installs the system on the disk's file. @throws GuestError */
export async function doSecondStage(guest: InstalledGuest, stage: FirstStage, report: ReportStage): Promise<void> {
  const image = new DriveFile(stage.disk, SECTOR_BYTES)
  const typist = new Typist(parseScript(SCRIPT, 'the second stage'), CONSOLE)
  const installer = new Installer(2 * stage.packages, (fraction) =>
    report('installing packages in the guest', fraction),
  )
  let contents: MachineContents | undefined
  await runLive({
    machine: await machineFor(guest, stage, image),
    sources: [typist],
    listeners: [typist.hear],
    onOutput: (src, bytes) => {
      if (src === CONSOLE) installer.hear(bytes)
    },
    onEnd: (reached) => {
      contents = reached
    },
  })
  image.close()
  const storage = contents?.storage(STORAGE)
  if (!installer.isDone || storage === undefined) {
    throw new GuestError(`${guest.name} could not be installed; the last lines of its console:\n${installer.tail}`)
  }
  const disk = await open(stage.disk, 'r+')
  try {
    writeBlocks(disk.fd, storage)
  } finally {
    await disk.close()
  }
}

async function machineFor(guest: InstalledGuest, stage: FirstStage, image: DriveFile): Promise<MachineSpec> {
  const options = {
    memoryBytes: guest.memoryBytes,
    append: `${guest.append} ${SECOND_STAGE_WORDS}`,
    drives: [{ media: 'disk', channel: 0, device: 0, bytes: image.bytes }],
  }
  const kernel = await readKernel(stage.kernel, await readFile(stage.kernel), { lowMemoryBytes: LOW_MEMORY_BYTES })
  return buildMachine(guest.machine, options, { kernel, initrd: await readFile(stage.initrd), drives: [image] })
}

/** Reads along on the console. */
class Installer {
  isDone = false
  readonly #steps: number
  readonly #onFraction: (fraction: number) => void
  #stepsDone = 0
  #lines: string[] = []
  #line = ''

  constructor(steps: number, onFraction: (fraction: number) => void) {
    this.#steps = steps
    this.#onFraction = onFraction
  }

  hear(bytes: Uint8Array): void {
    const lines = (this.#line + Buffer.from(bytes).toString('latin1')).split('\n')
    this.#line = lines.pop() ?? ''
    for (const line of lines) this.#read(line.trimEnd())
  }

  get tail(): string {
    return this.#lines.map((line) => `  | ${line}`).join('\n')
  }

  #read(line: string): void {
    this.#lines = [...this.#lines, line].slice(-TAIL_LINES)
    if (line === DONE) this.isDone = true
    if (!PROGRESS.test(line)) return
    this.#stepsDone++
    this.#onFraction(Math.min(1, this.#stepsDone / this.#steps))
  }
}
