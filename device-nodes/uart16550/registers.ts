/**
 * The registers of a 16550A and their bits: National Semiconductor PC16550D data sheet (June 1995), table II.
 */
import { accessDecoder, type Bits, character, hex, type NamedAccess, type Payload, registerBits } from '../sdk/mod.ts'

/** Interrupt Enable Register. */
export const IER = registerBits('IER', { ERBFI: 0x01, ETBEI: 0x02, ELSI: 0x04, EDSSI: 0x08 })
export const IER_WRITABLE = 0x0f

/** Interrupt Identification Register: one value at a time, highest priority first. */
export const IIR = registerBits('IIR', {
  NONE: 0x01,
  LINE_STATUS: 0x06,
  CHARACTER_TIMEOUT: 0x0c,
  DATA_AVAILABLE: 0x04,
  TRANSMITTER_EMPTY: 0x02,
  MODEM_STATUS: 0x00,
  FIFOS_ENABLED: 0xc0,
})

/** FIFO Control Register. */
export const FCR = registerBits('FCR', {
  FIFO_ENABLE: 0x01,
  RCVR_RESET: 0x02,
  XMIT_RESET: 0x04,
  DMA_MODE: 0x08,
  TRIGGER: 0xc0,
})
export const FCR_RESERVED = 0x30

/** Line Control Register. `WORD_LENGTH` + 5 data bits. */
export const LCR = registerBits('LCR', {
  DLAB: 0x80,
  SET_BREAK: 0x40,
  STICK_PARITY: 0x20,
  EVEN_PARITY: 0x10,
  PARITY_ENABLE: 0x08,
  STOP_BITS: 0x04,
  WORD_LENGTH: 0x03,
})

/** Modem Control Register. */
export const MCR = registerBits('MCR', { DTR: 0x01, RTS: 0x02, OUT1: 0x04, OUT2: 0x08, LOOP: 0x10 })
export const MCR_WRITABLE = 0x1f

/** Line Status Register. */
export const LSR = registerBits('LSR', {
  DR: 0x01,
  OE: 0x02,
  PE: 0x04,
  FE: 0x08,
  BI: 0x10,
  THRE: 0x20,
  TEMT: 0x40,
  FIFO_ERROR: 0x80,
})

/** Modem Status Register. */
export const MSR = registerBits('MSR', {
  DCTS: 0x01,
  DDSR: 0x02,
  TERI: 0x04,
  DDCD: 0x08,
  CTS: 0x10,
  DSR: 0x20,
  RI: 0x40,
  DCD: 0x80,
})

/** Bytes that the receiver FIFO holds when it first interrupts, by FCR bits 7 and 6. */
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const

/** Register names by offset: read, written, and with DLAB set (where that differs). */
const READ = ['RBR', 'IER', 'IIR', 'LCR', 'MCR', 'LSR', 'MSR', 'SCR'] as const
const WRITTEN = ['THR', 'IER', 'FCR', 'LCR', 'MCR', 'LSR', 'MSR', 'SCR'] as const
const DIVISOR = ['DLL', 'DLM'] as const

const WORDS: { readonly [register: string]: (value: number) => string } = {
  RBR: character,
  THR: character,
  IER: IER.names,
  IIR: iirWords,
  FCR: fcrWords,
  LCR: lcrWords,
  MCR: MCR.names,
  LSR: LSR.names,
  MSR: MSR.names,
}

/** The register's datasheet name at `offset` 0 to 7. */
export function registerName(offset: number, direction: 'read' | 'write', dlab: boolean): string {
  const place = offset & 7
  if (dlab && place < DIVISOR.length) return DIVISOR[place]!
  return direction === 'read' ? READ[place]! : WRITTEN[place]!
}

/** Turns accesses into words; it follows LCR to know what DLAB selects. */
export function decoder(strideBytes: number): (payload: Payload) => string | undefined {
  let dlab = false
  const named = (offset: number, direction: 'read' | 'write'): NamedAccess => {
    const register = registerName(offset / strideBytes, direction, dlab)
    const words = WORDS[register]
    return words === undefined ? { register } : { register, words }
  }
  return accessDecoder(
    ({ offset }) => named(offset, 'read'),
    ({ offset, value }) => {
      const access = named(offset, 'write')
      if (access.register === 'LCR') dlab = (value & LCR.DLAB) !== 0
      return access
    },
    () => {
      dlab = false
    },
  )
}

function iirWords(value: number): string {
  const fifos = (value & IIR.FIFOS_ENABLED) === IIR.FIFOS_ENABLED ? '|FIFOS_ENABLED' : ''
  const names: { readonly [code: number]: string } = {
    [IIR.NONE]: 'NONE',
    [IIR.LINE_STATUS]: 'LINE_STATUS',
    [IIR.CHARACTER_TIMEOUT]: 'CHARACTER_TIMEOUT',
    [IIR.DATA_AVAILABLE]: 'DATA_AVAILABLE',
    [IIR.TRANSMITTER_EMPTY]: 'TRANSMITTER_EMPTY',
    [IIR.MODEM_STATUS]: 'MODEM_STATUS',
  }
  return `${names[value & 0x0f] ?? hex(value & 0x0f)}${fifos}`
}

function fcrWords(value: number): string {
  if ((value & FCR.FIFO_ENABLE) === 0) return '0'
  return `${FCR.names(value & ~FCR.TRIGGER)}, trigger ${TRIGGER_LEVELS[value >>> 6]}`
}

function lcrWords(value: number): string {
  const lcr: Bits<'LCR'> = LCR.of(value)
  const dataBits = 5 + (lcr & LCR.WORD_LENGTH)
  const parity = (lcr & LCR.PARITY_ENABLE) === 0 ? 'N' : (lcr & LCR.EVEN_PARITY) === 0 ? 'O' : 'E'
  const stopBits = (lcr & LCR.STOP_BITS) === 0 ? '1' : dataBits === 5 ? '1.5' : '2'
  const rest = value & (LCR.DLAB | LCR.SET_BREAK | LCR.STICK_PARITY)
  return `${dataBits}${parity}${stopBits}${rest === 0 ? '' : `|${LCR.names(rest)}`}`
}
