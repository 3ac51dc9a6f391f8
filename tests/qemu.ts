/**
 * QEMU's Malta, for comparison.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export const QEMU = 'qemu-system-mipsel'

export function hasQemu(): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, QEMU)))
}

/** Boots a kernel to its prompt, types `poweroff -f` there, and gives all that the console printed. */
export async function qemuBootLog(kernel: string, initrd: string, append: string, prompt: string): Promise<string> {
  const machine = ['-M', 'malta', '-cpu', '24Kf', '-m', '512', '-vga', 'none', '-nic', 'none']
  const console = ['-nographic', '-monitor', 'none', '-serial', 'stdio', '-no-reboot']
  const child = spawn(QEMU, [...machine, ...console, '-kernel', kernel, '-initrd', initrd, '-append', append], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let text = ''
  let typed = false
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    if (typed || !text.includes(prompt)) return
    typed = true
    child.stdin.write('poweroff -f\n')
  })
  await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  return text
}
