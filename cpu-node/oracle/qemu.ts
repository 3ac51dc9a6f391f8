/**
 * Runs a program of `harness.ts` on QEMU's Malta and gives back its memory. This file touches the host: processes, files.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { writeElf } from './elf.ts'
import type { Program } from './harness.ts'

const EXECUTABLES = { little: 'qemu-system-mipsel', big: 'qemu-system-mips' } as const
/** 8 ns an instruction, as here, so that what a busy host does meanwhile is no part of a run. */
const CLOCK = ['-icount', 'shift=3,sleep=off']
/** A run that takes longer hangs: the harness has lost its way. */
const HANG_LIMIT_MS = 120_000

export class QemuError extends Error {
  override readonly name = 'QemuError'
}

/** The name of the QEMU executable for this byte order if the host lacks it. */
export function missingQemu(endian: 'little' | 'big'): string | undefined {
  const name = EXECUTABLES[endian]
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return undefined
    } catch (error) {
      // Not in this folder: look in the next. Anything but "not there" matters.
      const code = (error as NodeJS.ErrnoException).code
      if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'ENOTDIR') throw error
    }
  }
  return name
}

/** The records as the program left them. `cpu` is a CPU model of QEMU's. */
export async function runOnQemu(program: Program, endian: 'little' | 'big', cpu: string): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'ananke-oracle-'))
  try {
    const kernel = join(folder, 'program.elf')
    const dump = join(folder, 'records')
    await writeFile(kernel, writeElf(endian, program.entry, program.segments))
    await drive(endian, cpu, kernel, { ...program.results, dump })
    return await readFile(dump)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Dump {
  address: number
  length: number
  dump: string
}

/** Speaks QMP: waits for the reset that ends the program, has memory saved, quits. */
async function drive(endian: 'little' | 'big', cpu: string, kernel: string, results: Dump): Promise<void> {
  const machine = ['-M', 'malta', '-cpu', cpu, '-m', '256', '-display', 'none', '-vga', 'none', '-nic', 'none']
  const control = ['-S', '-serial', 'none', '-qmp', 'stdio', '-action', 'reboot=shutdown,shutdown=pause']
  const qemu = spawn(EXECUTABLES[endian], [...machine, ...CLOCK, ...control, '-kernel', kernel], { stdio: 'pipe' })
  let complaints = ''
  qemu.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk.toString()
  })
  // QEMU has died: what it said, and that it saved nothing, is reported below.
  qemu.stdin.on('error', (error) => {
    complaints += error.message
  })
  const limit = setTimeout(() => qemu.kill('SIGKILL'), HANG_LIMIT_MS)
  const send = (execute: string, args?: Record<string, unknown>): void => {
    qemu.stdin.write(`${JSON.stringify({ execute, id: execute, ...(args && { arguments: args }) })}\n`)
  }
  let isSaved = false
  let isSaving = false
  const exited = once(qemu, 'exit')
  for await (const line of createInterface({ input: qemu.stdout })) {
    const message = JSON.parse(line) as { QMP?: unknown; event?: string; id?: string; error?: { desc: string } }
    if (message.error) complaints += message.error.desc
    if (message.QMP) {
      // Started stopped: events are not sent before the greeting is answered.
      send('qmp_capabilities')
      send('cont')
    }
    if (message.event === 'SHUTDOWN' && !isSaving) {
      isSaving = true
      send('pmemsave', { val: results.address, size: results.length, filename: results.dump })
    } else if (message.id === 'pmemsave' && !message.error) {
      isSaved = true
      send('quit')
    }
    if (message.error) qemu.kill('SIGKILL')
  }
  await exited
  clearTimeout(limit)
  if (!isSaved) throw new QemuError(`QEMU did not finish the program: ${complaints || 'it hung'}`)
}
