import t from 'tap'
import { NEVER } from '../../bus/mod.ts'
import { DeviceBench } from '../../bus/testing.ts'
import { piix4Pm } from './mod.ts'

const PMSTS = 0x00
const PMEN = 0x02
const PMCNTRL = 0x04
const PMTMR = 0x08

const bench = () => new DeviceBench(piix4Pm, {})
/** Nanoseconds of `ticks` of the ACPI timer, rounded up. */
const ns = (ticks: number) => Math.ceil((ticks * 1e9) / 3_579_545)

t.test('its blocks appear where and when configuration says', async (t) => {
  const pm = bench()
  t.equal(pm.read('config', 0, 4), 0x71138086)
  pm.write('config', 0x40, 0x1000, 2)
  t.same(pm.maps, [])
  t.equal(pm.read('config', 0x40, 4), 0x1001)
  pm.write('config', 0x80, 1)
  t.match(pm.maps, [{ region: 1, space: 'pci-io', base: 0x1000, length: 64 }])
  pm.write('config', 0x90, 0x1100, 4)
  pm.write('config', 0xd2, 0x09)
  t.equal(pm.maps.length, 1)
  pm.write('config', 4, 1, 2)
  t.match(pm.maps[1], { region: 2, base: 0x1100, length: 16 })
  pm.write('config', 0x80, 0)
  t.match(pm.maps[2], { region: 1, mode: 'off' })
})

t.test('the timer counts exactly, and says until when', async (t) => {
  const pm = bench()
  t.equal(pm.read('pm', PMTMR, 4), 0)
  t.equal(pm.lastData?.validUntil, ns(1))
  for (const ticks of [1, 2, 3_579_545, 2 ** 24 - 1, 2 ** 24 + 5]) {
    pm.advanceTo(ns(ticks) - 1)
    t.equal(pm.read('pm', PMTMR, 4), (ticks - 1) % 2 ** 24)
    t.equal(pm.lastData?.validUntil, ns(ticks))
    pm.advanceTo(ns(ticks))
    t.equal(pm.read('pm', PMTMR, 4), ticks % 2 ** 24)
  }
})

t.test('its overflow sets a status, found without an event', async (t) => {
  const pm = bench()
  const overflow = ns(2 ** 23)
  t.equal(pm.read('pm', PMSTS, 2), 0)
  t.equal(pm.lastData?.validUntil, overflow)
  t.equal(pm.due, NEVER)
  pm.advanceTo(overflow)
  t.equal(pm.read('pm', PMSTS, 2), 1)
  t.equal(pm.lastData?.validUntil, NEVER)
  pm.write('pm', PMSTS, 1, 2)
  t.equal(pm.read('pm', PMSTS, 2), 0)
  t.equal(pm.lastData?.validUntil, ns(2 ** 24))
})

t.test('SCI follows status, enables and SCI_EN', async (t) => {
  const pm = bench()
  pm.write('pm', PMEN, 1, 2)
  t.equal(pm.due, NEVER)
  pm.write('pm', PMCNTRL, 1, 2)
  t.equal(pm.due, ns(2 ** 23))
  pm.advanceTo(ns(2 ** 23) - 1)
  t.equal(pm.line('sci'), 0)
  pm.advance(1)
  t.equal(pm.line('sci'), 1)
  t.equal(pm.due, NEVER)
  pm.write('pm', PMSTS, 1, 2)
  t.equal(pm.line('sci'), 0)
  t.equal(pm.due, ns(2 ** 24))
  pm.write('pm', PMCNTRL, 0, 2)
  t.equal(pm.due, NEVER)
})

t.test('soft-off as Linux asks for it turns the machine off', async (t) => {
  const pm = bench()
  pm.write('pm', PMSTS, 0x8100, 2)
  pm.write('pm', PMCNTRL, 0x2000, 2)
  t.equal(pm.outputText, 'off')
  t.equal(pm.read('pm', PMCNTRL, 2), 0, 'SUS_EN reads 0')
  pm.write('pm', PMCNTRL, 0x2000 | (1 << 10), 2)
  t.equal(pm.outputText, 'off', 'other states are not soft-off')
  t.match(pm.unhandled, [/type 1/])
})

t.test('an SMBus transaction finds nobody', async (t) => {
  const pm = bench()
  pm.write('smbus', 4, 0xa1)
  pm.write('smbus', 2, 0x48)
  t.equal(pm.read('smbus', 0), 0x04, 'DEV_ERR, not busy')
  t.equal(pm.read('smbus', 2), 0x08, 'START reads 0')
  pm.write('smbus', 0, 0xff)
  t.equal(pm.read('smbus', 0), 0)
})

t.test('state makes a round trip in the middle of a count', async (t) => {
  const pm = bench()
  pm.write('config', 0x80, 1)
  pm.write('config', 0x40, 0x1000, 2)
  pm.advance(3e9)
  pm.write('pm', PMEN, 1, 2)
  pm.write('pm', PMSTS, 1, 2)
  const copy = new DeviceBench(piix4Pm, {}, {}, pm.save())
  t.same(copy.save(), pm.save())
  copy.advanceTo(3e9)
  t.equal(copy.read('pm', PMTMR, 4), pm.read('pm', PMTMR, 4))
  t.equal(copy.read('pm', PMSTS, 2), 0)
})
