/**
 * The command line's words: which commands there are, and what each takes. What a command needs is loaded when it is
 * given.
 */
import { Command } from 'commander'
import { GUESTS } from '../guests/guests.ts'
import type { ExportWords } from './drive-export.ts'
import { STATUS_FAILED, STATUS_OK } from './failure.ts'
import type { LogWords } from './log.ts'
import { machineNames } from './machine-names.ts'
import { NET_FORMS } from './net.ts'
import { printLine } from './output.ts'
import type { PcapWords } from './pcap.ts'
import type { ReplayWords } from './replay.ts'
import type { RunWords } from './run.ts'
import { version } from './version.ts'

const GUEST_HELP = `${GUESTS.map(({ name, title }) => `${name} (${title})`).join(', ')}`

/** The program. A command's function leaves its exit status in `process.exitCode`. */
export function makeProgram(): Command {
  const program = new Command('ananke')
    .description('A full-system emulator whose message bus is its replay journal.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(ananke help COMMAND explains)')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'ananke: ')) })
  addRunCommands(program)
  addReplayCommands(program)
  addReadingCommands(program)
  addGuestCommands(program)
  return program
}

/** What `boot` and `record` have in common; the words are QEMU's. */
function withBootOptions(command: Command): Command {
  return command
    .argument('[guest]', `a known guest: ${GUEST_HELP}`)
    .option('--machine <name>', `the board: ${machineNames.join(', ')}`)
    .option('--kernel <file>', 'an ELF kernel of your own, compressed or not')
    .option('--initrd <file>', 'its initial RAM disk')
    .option('--append <words>', "the kernel's command line")
    .option('--memory <size>', 'RAM, such as 256M or 1G')
    .option('--input <script>', 'what types in place of a person: lines of expect, send, at, quit')
    .option(
      '--drive <image>',
      'a disk or a CD, from a file with its bytes, which is never written: FILE[,media=disk|cdrom][,readonly]; up to four',
      (image: string, images: string[] = []) => [...images, image],
    )
    .option(
      '--net <network>',
      `a network card, on a network that is the same each time (hermetic), the host's (user), or a peer's: ${NET_FORMS}`,
    )
    .option(
      '--pcap <file>',
      'write what the network card sends and gets, for Wireshark: a new file, by custom NAME.pcapng',
    )
    .option('--rtc <time>', "the guest's time of day at power-on, such as 2024-01-31T12:00:00 (UTC)")
    .option('--json', 'print the closing line for programs; the console goes to standard error')
}

function addRunCommands(program: Command): void {
  withBootOptions(program.command('boot').description('boot a guest with its console here; Ctrl-A x leaves')).action(
    runAction,
  )
  withBootOptions(program.command('record').description('boot a guest and keep the recording'))
    .requiredOption('-o, --output <recording>', 'where to keep it: a new directory, by custom NAME.ank')
    .action(runAction)
}

async function runAction(guest: string | undefined, words: RunWords): Promise<void> {
  const { runCommand } = await import('./run.ts')
  leave(await runCommand(guest, words))
}

function addReplayCommands(program: Command): void {
  program
    .command('replay')
    .description('play a recording back, and compare all that happens with it')
    .argument('<recording>')
    .option('--mode <mode>', 'cpu: the CPU alone; full: every node; device:NAME: one device alone', 'cpu')
    .option('--verify', 'check every byte of the recording first')
    .option('--until <icount>', 'stop before this instruction')
    .option('--parts <count>', 'of a cpu replay: how many may run at once; by default as many as there are cores')
    .option('--console', 'print what the console printed')
    .option('--json', 'print the result for programs')
    .action(async (directory: string, words: ReplayWords) => {
      const { replayCommand } = await import('./replay.ts')
      leave(await replayCommand(directory, words))
    })
  program
    .command('diff')
    .description('find the first message in which two recordings differ')
    .argument('<a>')
    .argument('<b>')
    .option('--json', 'print the result for programs')
    .action(async (a: string, b: string, words: { json?: boolean }) => {
      const { diffCommand } = await import('./replay.ts')
      leave(await diffCommand(a, b, words))
    })
}

function addReadingCommands(program: Command): void {
  program
    .command('info')
    .description('say what a recording is of, how large it is and how it ended')
    .argument('<recording>')
    .option('--json', 'print it for programs')
    .action(async (directory: string, words: { json?: boolean }) => {
      const { infoLines, readInfo } = await import('./info.ts')
      const info = readInfo(directory)
      await printLine(words.json ? JSON.stringify(info) : infoLines(info).join('\n'))
      leave(STATUS_OK)
    })
  program
    .command('log')
    .description("print a recording's messages in order, registers by name")
    .argument('<recording>')
    .option('--node <name>', 'only what this node sent or got')
    .option('--from <icount>', 'from this instruction on')
    .option('--to <icount>', 'up to this instruction')
    .option('--json', 'one object a line')
    .action(async (directory: string, words: LogWords) => {
      const { logCommand } = await import('./log.ts')
      leave(await logCommand(directory, words))
    })
  program
    .command('pcap')
    .description("write out what a recording's network cards sent and got, for Wireshark")
    .argument('<recording>')
    .option('--node <name>', 'one card alone, such as nic0')
    .requiredOption('-o, --output <file>', 'where to put it: a new file, by custom NAME.pcapng')
    .action(async (directory: string, words: PcapWords) => {
      const { writeCapture } = await import('./pcap.ts')
      leave(await writeCapture(directory, words))
    })
  program
    .command('drive')
    .description('read the drives of a recording')
    .command('export')
    .description('write out a drive as it stood in a recorded run')
    .argument('<recording>')
    .argument('[drive]', 'such as ide.disk0; may be left out where there is one')
    .requiredOption('-o, --output <file>', 'where to put it: a new file')
    .option('--at <icount>', 'as it stood before this instruction; by default at the end')
    .option('--image <file>', 'the image that was recorded, where it is not where it was')
    .action(async (directory: string, drive: string | undefined, words: ExportWords) => {
      const { exportDrive } = await import('./drive-export.ts')
      leave(await exportDrive(directory, drive, words))
    })
  program
    .command('doctor')
    .description('say what this host has and lacks')
    .option('--json', 'print it for programs')
    .action(async (words: { json?: boolean }) => leave(await doctorCommand(words)))
}

function addGuestCommands(program: Command): void {
  const guests = program
    .command('guests')
    .description('manage the guests that are known by name, and kept in the cache')
  guests
    .command('list', { isDefault: true })
    .description('say which there are, and what is kept of them')
    .option('--json', 'print it for programs')
    .action(async (words: { json?: boolean }) => {
      const { listGuests } = await import('./guests.ts')
      leave(await listGuests(words))
    })
  guests
    .command('fetch')
    .description('fetch a guest, or install it, if it is not kept whole already')
    .argument('<guest>')
    .action(async (name: string) => {
      const { fetchGuest } = await import('./guests.ts')
      leave(await fetchGuest(name))
    })
  guests
    .command('build')
    .description('fetch or install it anew, from the packages of today')
    .argument('<guest>')
    .action(async (name: string) => {
      const { buildGuest } = await import('./guests.ts')
      leave(await buildGuest(name))
    })
  guests
    .command('remove')
    .description('remove what is kept of it')
    .argument('<guest>')
    .action(async (name: string) => {
      const { removeGuestNamed } = await import('./guests.ts')
      leave(await removeGuestNamed(name))
    })
}

/** Gives the exit status: 1 if something is lacking without which no run can succeed. */
async function doctorCommand(words: { json?: boolean }): Promise<number> {
  const { examine } = await import('./doctor.ts')
  const findings = await examine()
  if (words.json) {
    await printLine(JSON.stringify(findings))
  } else {
    const { plainTable } = await import('./table.ts')
    await printLine(
      plainTable(
        findings.map(({ check, verdict, found, advice }) => [
          check,
          verdict,
          advice === undefined ? found : `${found}; ${advice}`,
        ]),
      ),
    )
  }
  return findings.some(({ verdict }) => verdict === 'lacking') ? STATUS_FAILED : STATUS_OK
}

function leave(status: number): void {
  process.exitCode = status
}
