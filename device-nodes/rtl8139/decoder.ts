/** Words for an RTL8139C's registers, frames and link. */
import { cardDecoder } from '../ethernet/mod.ts'
import { configDecoder, type MaskedRegister } from '../pci/mod.ts'
import { hex, type NamedAccess, type Payload } from '../sdk/mod.ts'
import { CR, INTERRUPT, RCR, type RegisterName, registerTable, TCR, TSD, TSD_SIZE, TSDS } from './registers.ts'

const WORDS: Partial<Record<RegisterName, (value: number) => string>> = {
  CR: CR.names,
  ISR: INTERRUPT.names,
  IMR: INTERRUPT.names,
  RCR: RCR.names,
  TCR: TCR.names,
  ...Object.fromEntries(TSDS.map((name) => [name, tsdWords])),
}

/** `60 bytes|TOK|OWN`. */
function tsdWords(value: number): string {
  const flags = value & ~TSD_SIZE
  return `${value & TSD_SIZE} bytes${flags === 0 ? '' : `|${TSD.names(flags | (value & TSD.OWN))}`}`
}

/** `config` is the region of its configuration space, and `configRegisters` are its own in there. */
export function decoder(
  config: number,
  configRegisters: readonly MaskedRegister[],
): (payload: Payload) => string | undefined {
  return cardDecoder(
    configDecoder(config, configRegisters, (_region, offset): string | NamedAccess => {
      const row = registerTable.at(offset)
      if (row === undefined) return hex(offset)
      const words = row.offset === offset ? WORDS[row.name] : undefined
      const register = row.offset === offset ? row.name : `${row.name}+${offset - row.offset}`
      return words === undefined ? register : { register, words }
    }),
  )
}
