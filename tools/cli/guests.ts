/**
 * `ananke guests`: what guests there are, and what is kept of them.
 */
import type { ReportStage } from '../guests/apt.ts'
import { type KeptGuest, keptGuest, loadGuest, rebuildGuest, removeGuest } from '../guests/cache.ts'
import { GUESTS, type Guest, guestNamed } from '../guests/guests.ts'
import { STATUS_OK } from './failure.ts'
import { bytesText } from './format.ts'
import { note, printLine } from './output.ts'
import { Progress } from './progress.ts'
import { plainTable } from './table.ts'

/** Gives the exit status, as the others do. */
export async function listGuests(words: { json?: boolean }): Promise<number> {
  const guests = await Promise.all(
    GUESTS.map(async (guest) => ({ name: guest.name, title: guest.title, kept: (await keptGuest(guest)) ?? null })),
  )
  const rows = guests.map(({ name, title, kept }) => [name, kept === null ? 'not kept' : keptText(kept), title])
  await printLine(words.json ? JSON.stringify(guests) : plainTable(rows))
  return STATUS_OK
}

export async function fetchGuest(name: string): Promise<number> {
  return work(name, (guest, report) => loadGuest(guest, report))
}

export async function buildGuest(name: string): Promise<number> {
  return work(name, (guest, report) => rebuildGuest(guest, report))
}

export async function removeGuestNamed(name: string): Promise<number> {
  if (!(await removeGuest(guestNamed(name)))) note(`nothing is kept of ${name}`)
  return STATUS_OK
}

/** Does what leaves the guest in the cache, and says so. */
async function work(name: string, make: (guest: Guest, report: ReportStage) => Promise<unknown>): Promise<number> {
  const guest = guestNamed(name)
  const progress = new Progress()
  await make(guest, (stage, fraction) => progress.update(stage, fraction)).finally(() => progress.clear())
  const kept = await keptGuest(guest)
  await printLine(`${name}: ${kept === undefined ? 'not kept' : `${keptText(kept)}, in ${kept.directory}`}`)
  return STATUS_OK
}

function keptText({ bytes, packageFile }: KeptGuest): string {
  return `${bytesText(bytes)} of ${packageFile}`
}
