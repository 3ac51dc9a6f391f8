/**
 * QEMU's Malta, for comparison.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export const QEMU = 'qemu-system-mipsel'

/**
 * An instruction takes 8 ns, as here, whatever the host does meanwhile. By the host's clock a busy host changes the boot's log: threads
 * print elsewhere, and the kernel says of some steps that they took long.
 */
const CLOCK = ['-icount', 'shift=3,sleep=off', '-rtc', 'base=2024-01-01,clock=vm']

export function hasQemu(): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, QEMU)))
}

/** Boots a kernel to its prompt, and gives all that the console printed until then. */
export async function qemuBootLog(kernel: string, initrd: string, append: string, prompt: string): Promise<string> {
  const machine = ['-M', 'malta', '-cpu', '24Kf', '-m', '512', '-vga', 'none', '-nic', 'none', ...CLOCK]
  const console = ['-nographic', '-monitor', 'none', '-serial', 'stdio', '-no-reboot']
  const child = spawn(QEMU, [...machine, ...console, '-kernel', kernel, '-initrd', initrd, '-append', append], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    if (text.includes(prompt)) child.kill('SIGKILL')
  })
  await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  return text
}
