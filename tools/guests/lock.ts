/**
 * One process at a time does what takes long. Nothing depends on it but time: if two do it at once, what the later one made is kept.
 */
import { open, rm, stat, utimes } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** How often whoever works says so, and how often those who wait look. */
const TIMES = { beatMs: 2000, lookMs: 500 }

/**
 * Who has said nothing for so many looks was killed. It is no span of time: a host that stood still, as a virtual machine does,
 * wakes whoever waits before whoever works.
 */
const LOOKS = 30

/**
 * Does `work` while no other process does any under the same lock, a file that is not there otherwise.
 * @param onWait called once if another process is at it
 * @param times of both sides, in milliseconds: all who share a lock have the same
 */
export async function alone<T>(lock: string, onWait: () => void, work: () => Promise<T>, times = TIMES): Promise<T> {
  for (let seen: number | undefined, looks = 0; !(await take(lock)); ) {
    if (looks === 0) onWait()
    const beat = await lastBeat(lock)
    looks = beat === seen ? looks + 1 : 1
    seen = beat
    if (looks > LOOKS) await rm(lock, { force: true })
    await sleep(times.lookMs)
  }
  const beat = setInterval(() => {
    const now = new Date()
    // It may have been taken for dead, and another works now.
    utimes(lock, now, now).catch(() => {})
  }, times.beatMs)
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
    return false
  }
}

/** Undefined: it has just been given back. */
function lastBeat(lock: string): Promise<number | undefined> {
  return stat(lock).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  )
}
