/**
 * One process at a time does what takes long. Nothing depends on it but time: if two do it at once, what the later one made is kept.
 */
import { open, rm, stat, utimes } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Whoever works says so this often, and is believed for so long, in milliseconds: then it was killed. */
const BEAT_MS = 2000
const BELIEVED_MS = 15_000
/** How often those who wait look. */
const LOOK_MS = 500

/**
 * Does `work` while no other process does any under the same lock, a file that is not there otherwise.
 * @param onWait called once if another process is at it
 */
export async function alone<T>(lock: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  for (let isTold = false; !(await take(lock)); ) {
    if (!isTold) onWait()
    isTold = true
    await sleep(LOOK_MS)
  }
  const beat = setInterval(() => {
    const now = new Date()
    // It may have been taken for dead, and another works now.
    utimes(lock, now, now).catch(() => {})
  }, BEAT_MS)
  try {
    return await work()
  } finally {
    clearInterval(beat)
    await rm(lock, { force: true })
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    await (await open(lock, 'wx')).close()
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
  }
  const found = await stat(lock).catch(() => undefined)
  if (found !== undefined && Date.now() - found.mtimeMs > BELIEVED_MS) await rm(lock, { force: true })
  return false
}
