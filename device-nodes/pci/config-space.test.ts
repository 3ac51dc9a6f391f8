import t from 'tap'
import { DeviceBench } from '../../bus/testing.ts'
import type { Device, DeviceModel } from '../sdk/mod.ts'
import { StateLayout } from '../sdk/mod.ts'
import { ConfigSpace, type ConfigSpaceDefinition, configSpaceState } from './mod.ts'

const definition: ConfigSpaceDefinition = {
  vendorId: 0x1234,
  deviceId: 0x5678,
  revisionId: 9,
  classCode: 0x020000,
  status: 0x0280,
  commandWritable: 0x0147,
  interruptPin: 1,
  subsystemVendorId: 0xaaaa,
  subsystemId: 0xbbbb,
  bars: [
    { index: 0, kind: 'io', size: 0x20, region: 1 },
    { index: 1, kind: 'memory', size: 0x1000, region: 2, prefetchable: true },
  ],
  registers: [{ name: 'OWN', offset: 0x40, size: 4, initial: 0x11223344, writable: 0x0000ffff, clearable: 0x01000000 }],
}

const layout = new StateLayout('card', { config: configSpaceState })

/** A card that is its configuration space. */
const card: DeviceModel<Record<string, never>> = {
  type: 'card',
  stateVersion: 1,
  regions: () => [
    { kind: 'registers', name: 'config', size: 256, endian: 'little' },
    { kind: 'registers', name: 'io', size: 0x20, endian: 'little' },
    { kind: 'registers', name: 'memory', size: 0x1000, endian: 'little' },
  ],
  inputs: [],
  outputs: [],
  create(): Device {
    const config = new ConfigSpace(definition)
    return {
      reset: (io) => config.reset(io),
      read: (_region, offset, size) => config.read(offset, size),
      write: (_region, offset, size, value, io) => config.write(offset, size, value, io),
      save: () => layout.save({ config: config.save() }),
      restore: (state) => config.restore(layout.restore(state).config),
    }
  },
}

const bench = () => new DeviceBench(card, {})

t.test('the header is as declared, in every width', async (t) => {
  const card = bench()
  t.equal(card.read('config', 0, 4), 0x56781234)
  t.equal(card.read('config', 0, 2), 0x1234)
  t.equal(card.read('config', 3, 1), 0x56)
  t.equal(card.read('config', 8, 4), 0x02000009)
  t.equal(card.read('config', 0x2c, 4), 0xbbbbaaaa)
  t.equal(card.read('config', 0x3c, 4), 0x00000100)
})

t.test('only declared bits change', async (t) => {
  const card = bench()
  card.write('config', 0, 0xffffffff, 4)
  t.equal(card.read('config', 0, 4), 0x56781234)
  card.write('config', 4, 0xffff, 2)
  t.equal(card.read('config', 4, 2), 0x0147)
  card.write('config', 0x40, 0xffffffff, 4)
  t.equal(card.read('config', 0x40, 4), 0x1022ffff, 'writable bits set, clearable ones cleared, others kept')
  card.write('config', 0x3c, 0x0b, 1)
  t.equal(card.read('config', 0x3c, 2), 0x010b)
})

t.test('base address registers tell their sizes', async (t) => {
  const card = bench()
  for (const offset of [0x10, 0x14, 0x18]) card.write('config', offset, 0xffffffff, 4)
  t.equal(card.read('config', 0x10, 4), 0xffffffe1)
  t.equal(card.read('config', 0x14, 4), 0xfffff008)
  t.equal(card.read('config', 0x18, 4), 0)
  t.same(card.maps, [])
})

t.test('regions follow COMMAND and their base', async (t) => {
  const card = bench()
  card.write('config', 0x10, 0x1040, 4)
  card.write('config', 0x14, 0x12000000, 4)
  t.same(card.maps, [], 'nothing is mapped before it is enabled')
  card.write('config', 4, 1, 2)
  t.match(card.maps, [{ region: 1, space: 'pci-io', base: 0x1040, length: 0x20, mode: 'registers' }])
  card.write('config', 4, 3, 2)
  t.match(card.maps[1], { region: 2, space: 'pci-memory', base: 0x12000000, length: 0x1000, mode: 'registers' })
  card.write('config', 0x10, 0xffffffff, 4)
  t.match(card.maps[2], { region: 1, mode: 'off' }, 'a base of all ones decodes nothing')
  card.write('config', 0x10, 0x2000, 4)
  t.match(card.maps[3], { region: 1, base: 0x2000, mode: 'registers' })
  card.write('config', 4, 0, 2)
  t.match(card.maps.slice(4), [
    { region: 1, mode: 'off' },
    { region: 2, mode: 'off' },
  ])
  card.write('config', 4, 0, 2)
  t.equal(card.maps.length, 6, 'what has not changed is not mapped again')
})

t.test('state makes a round trip', async (t) => {
  const card = bench()
  card.write('config', 0x10, 0x1040, 4)
  card.write('config', 4, 3, 2)
  const copy = new DeviceBench(card.model, {}, {}, card.save())
  t.same(copy.save(), card.save())
  copy.write('config', 4, 0, 2)
  t.match(copy.maps, [{ region: 1, mode: 'off' }], 'it knows what was mapped')
  const state = card.save()
  state.state['config'] = { bytes: new Uint8Array(3), mappedBases: [] }
  t.throws(() => copy.host.restore(state), { name: 'StateError' })
})
