/**
 * `ananke doctor`: what this host has and lacks, and what to do about it.
 */
import { accessSync, constants, existsSync } from 'node:fs'
import { mkdir, statfs } from 'node:fs/promises'
import { availableParallelism, freemem, totalmem } from 'node:os'
import { delimiter, join } from 'node:path'
import * as zlib from 'node:zlib'
import { machineCodeLacks } from '../../cpu-node/mod.ts'
import { guestDirectory, isCached } from '../guests/cache.ts'
import { PRIVILEGED_FOLDERS } from '../guests/command.ts'
import { GUESTS } from '../guests/guests.ts'
import { bytesText } from './format.ts'

/** `lacking`: runs will fail; `limited`: something will not work, or slowly. */
export type Verdict = 'ok' | 'limited' | 'lacking'

export interface Finding {
  check: string
  verdict: Verdict
  /** What was found. */
  found: string
  /** What to do, where there is something to do. */
  advice?: string
}

const NEEDED_NODE_MAJOR = 26
/** A guest's images, unpacking them, and a recording. */
const WANTED_DISK_BYTES = 1 << 30
/** A guest with 512 MiB of its own, its images and the program. */
const WANTED_MEMORY_BYTES = 1 << 30

/**
 * WebAssembly features that the CPU node's translator builds on, each as the smallest module that needs it
 * (WebAssembly core specification 3.0, binary format).
 */
const WASM_MODULES: Readonly<Record<string, readonly number[]>> = {
  // (func (param i32) (return_call 0))
  'tail calls': [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 6, 1, 4, 0, 18, 0, 11],
  // (func (drop (v128.const 0)))
  SIMD: [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 23, 1, 21, 0, 253, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 26, 11,
  ],
}

/** The part of WebAssembly's JavaScript interface that is used; without the DOM's types, TypeScript lacks it. */
const wasm = WebAssembly as unknown as { validate(bytes: Uint8Array): boolean }

export async function examine(): Promise<Finding[]> {
  const findings = [
    examineNode(),
    examineZstd(),
    ...examineWasm(),
    examineMachineCode(),
    examineMemory(),
    await examineDisk(),
    examineApt(),
    examineProgram('mke2fs', 'e2fsprogs', 'guests on a disk are made with it'),
    examineProgram('passt', 'passt', "--net user is the host's network by way of it"),
  ]
  for (const guest of GUESTS) {
    const cached = await isCached(guest)
    const found = cached ? `in ${join(guestDirectory(), guest.name)}` : 'not fetched yet'
    const finding: Finding = { check: `guest ${guest.name}`, verdict: 'ok', found }
    findings.push(cached ? finding : { ...finding, advice: `it is fetched the first time: ananke boot ${guest.name}` })
  }
  return findings
}

function examineNode(): Finding {
  const version = process.versions.node
  const found = `${version} (V8 ${process.versions.v8})`
  if (Number.parseInt(version, 10) >= NEEDED_NODE_MAJOR) return { check: 'Node', verdict: 'ok', found }
  const advice = `version ${NEEDED_NODE_MAJOR} is needed: run npm ci in the project, and start bin/ananke`
  return { check: 'Node', verdict: 'lacking', found, advice }
}

function examineZstd(): Finding {
  if (typeof zlib.zstdCompressSync === 'function') return { check: 'zstd', verdict: 'ok', found: 'in node:zlib' }
  const advice = `journals are compressed with it: use Node ${NEEDED_NODE_MAJOR}`
  return { check: 'zstd', verdict: 'lacking', found: 'none', advice }
}

function examineWasm(): Finding[] {
  const findings = Object.entries(WASM_MODULES).map(([feature, bytes]): Finding => {
    const check = `WebAssembly ${feature}`
    if (wasm.validate(new Uint8Array(bytes))) return { check, verdict: 'ok', found: 'yes' }
    return { check, verdict: 'limited', found: 'no', advice: `the translator needs it: use Node ${NEEDED_NODE_MAJOR}` }
  })
  return findings
}

function examineMachineCode(): Finding {
  const check = 'machine code'
  if (machineCodeLacks === undefined) return { check, verdict: 'ok', found: 'kept from run to run' }
  const found = `not kept: ${machineCodeLacks.message.split('\n')[0]}`
  const advice = 'each run compiles anew: install a C++ compiler, and run in the project: npm run build'
  return { check, verdict: 'limited', found, advice }
}

function examineMemory(): Finding {
  const free = freemem()
  const found = `${bytesText(free)} free of ${bytesText(totalmem())}, ${availableParallelism()} processors`
  if (free >= WANTED_MEMORY_BYTES) return { check: 'memory', verdict: 'ok', found }
  const advice = `a 512 MiB guest wants ${bytesText(WANTED_MEMORY_BYTES)}: close something, or lower --memory`
  return { check: 'memory', verdict: 'limited', found, advice }
}

async function examineDisk(): Promise<Finding> {
  const directory = guestDirectory()
  try {
    await mkdir(directory, { recursive: true })
    accessSync(directory, constants.W_OK)
    const { bavail, bsize } = await statfs(directory)
    const free = bavail * bsize
    const found = `${bytesText(free)} free at ${directory}`
    if (free >= WANTED_DISK_BYTES) return { check: 'disk', verdict: 'ok', found }
    const advice = `guests want ${bytesText(WANTED_DISK_BYTES)}: make room, or set XDG_CACHE_HOME to another disk`
    return { check: 'disk', verdict: 'limited', found, advice }
  } catch (error) {
    const found = `${directory}: ${(error as Error).message}`
    return { check: 'disk', verdict: 'limited', found, advice: 'set XDG_CACHE_HOME to a directory you may write' }
  }
}

function examineApt(): Finding {
  const missing = ['apt-get', 'dpkg-deb'].filter((program) => !isOnPath(program))
  if (missing.length === 0) return { check: 'apt', verdict: 'ok', found: 'apt-get and dpkg-deb' }
  const advice = 'known guests are fetched with them: boot your own with --kernel and --initrd'
  return { check: 'apt', verdict: 'limited', found: `no ${missing.join(' and no ')}`, advice }
}

/** A program that something needs which not everybody wants. `debianPackage` has it. */
function examineProgram(program: string, debianPackage: string, why: string): Finding {
  const isThere = isOnPath(program) || PRIVILEGED_FOLDERS.some((folder) => existsSync(join(folder, program)))
  if (isThere) return { check: program, verdict: 'ok', found: 'installed' }
  return { check: program, verdict: 'limited', found: 'none', advice: `${why}: apt install ${debianPackage}` }
}

export function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, program)))
}
