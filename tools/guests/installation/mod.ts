/**
 * Installs a Debian system on the image of a disk.
 */
import type { ReportStage } from '../apt.ts'
import type { InstalledGuest } from '../guests.ts'
import { makeFirstStage } from './first-stage.ts'
import { doSecondStage } from './second-stage.ts'

/** Gives the files that it makes in `directory`. @throws GuestError, NoSuchProgram */
export async function installGuest(
  guest: InstalledGuest,
  directory: string,
  report: ReportStage,
): Promise<{ packageFile: string; kernel: string; initrd: string; disk: string }> {
  const stage = await makeFirstStage(guest, directory, report)
  await doSecondStage(guest, stage, report)
  return stage
}
