/**
 * The line that every run ends with: by its digest two runs are compared.
 */
import type { RunSummary } from '../../orchestrator/mod.ts'
import { bytesText, grouped } from './format.ts'

export function closingLine(summary: RunSummary): string {
  const { instructions, virtualSeconds, hostSeconds, mips, journalBytes, bytesPer1000Instructions, digest } = summary
  const parts = [
    `${grouped(instructions)} instructions`,
    `${virtualSeconds.toFixed(3)} virtual s`,
    `${hostSeconds.toFixed(1)} host s`,
    // A device replayed alone runs no instructions.
    ...(mips > 0 ? [`${mips.toFixed(1)} MIPS`] : []),
    `journal ${bytesText(journalBytes)}, ${bytesPer1000Instructions.toFixed(3)} bytes per 1000 instructions`,
  ]
  if (digest !== undefined) parts.push(`digest ${digest}`)
  return parts.join(', ')
}
