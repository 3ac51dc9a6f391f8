/** What the EEPROM of an RTL8139C holds: "RTL8139C(L)", Realtek, revision 1.4, chapter 6, "EEPROM (93C46) contents". */
import { EEPROM_WORDS } from './eeprom.ts'
import { DEVICE, VENDOR } from './registers.ts'

/** Places of its words. */
export const EEPROM = {
  SIGNATURE: 0,
  VENDOR: 1,
  DEVICE: 2,
  SUBSYSTEM_VENDOR: 3,
  SUBSYSTEM: 4,
  LATENCIES: 5,
  CONFIG3: 6,
  ADDRESS: 7,
  CONFIG0: 10,
  CONFIG4: 12,
  CONFIG5: 15,
} as const

/** As the factory leaves it. */
export function eepromWords(address: readonly number[]): number[] {
  const words = new Array<number>(EEPROM_WORDS).fill(0)
  words[EEPROM.SIGNATURE] = 0x8129
  words[EEPROM.VENDOR] = VENDOR
  words[EEPROM.DEVICE] = DEVICE
  words[EEPROM.SUBSYSTEM_VENDOR] = VENDOR
  words[EEPROM.SUBSYSTEM] = DEVICE
  words[EEPROM.LATENCIES] = 0x4020
  for (let i = 0; i < 3; i++) words[EEPROM.ADDRESS + i] = address[2 * i]! | (address[2 * i + 1]! << 8)
  return words
}
