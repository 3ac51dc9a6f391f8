/**
 * The line that every run ends with: by its digest two runs are compared.
 */
import { bytesText, grouped } from './format.ts'

export interface Closing {
  instructions: number
  virtualSeconds: number
  hostSeconds: number
  mips: number
  journalBytes: number
  bytesPer1000Instructions: number
  digest: string
}

export function closingLine(closing: Closing): string {
  const { instructions, virtualSeconds, hostSeconds, mips, journalBytes, bytesPer1000Instructions, digest } = closing
  return [
    `${grouped(instructions)} instructions`,
    `${virtualSeconds.toFixed(3)} virtual s`,
    `${hostSeconds.toFixed(1)} host s`,
    `${mips.toFixed(1)} MIPS`,
    `journal ${bytesText(journalBytes)}, ${bytesPer1000Instructions.toFixed(3)} bytes per 1000 instructions`,
    `digest ${digest}`,
  ].join(', ')
}
