/**
 * What tests have the host's programs do.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'

/** Gives what a program prints; it must succeed. */
export function host(program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): string {
  const PATH = `${process.env['PATH']}:/usr/sbin:/sbin`
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, PATH, ...environment },
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${stdout}${stderr}`)
  return stdout
}

/** Bytes without a pattern, the same each time. `bytes`: a multiple of 32. */
export function noise(bytes: number): Buffer {
  const blocks = Array.from({ length: bytes / 32 }, (_, i) => createHash('sha256').update(`block ${i}`).digest())
  return Buffer.concat(blocks)
}
