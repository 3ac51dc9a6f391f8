import t from 'tap'
import { DeviceBench } from '../../bus/testing.ts'
import { piix4Ide } from './mod.ts'

const bench = () => new DeviceBench(piix4Ide, { drives: [] })

t.test('channels decode their ports while enabled', async (t) => {
  const ide = bench()
  t.equal(ide.read('config', 0, 4), 0x71118086)
  t.equal(ide.read('config', 8, 4), 0x01018000)
  ide.write('config', 0x41, 0x80)
  t.same(ide.maps, [], 'not before COMMAND enables I/O')
  ide.write('config', 4, 1, 2)
  t.match(ide.maps, [
    { region: 2, space: 'pci-io', base: 0x1f0, length: 8, mode: 'registers' },
    { region: 3, space: 'pci-io', base: 0x3f6, length: 1, mode: 'registers' },
  ])
  ide.write('config', 0x43, 0x80)
  t.match(ide.maps.slice(2), [{ base: 0x170 }, { base: 0x376 }])
  ide.write('config', 0x41, 0)
  t.match(ide.maps.slice(4), [
    { region: 2, mode: 'off' },
    { region: 3, mode: 'off' },
  ])
})

t.test('a channel without drives is neither busy nor remembers anything', async (t) => {
  const ide = bench()
  for (const channel of ['primary', 'secondary']) {
    ide.write(`${channel}-command`, 6, 0xa0)
    ide.write(`${channel}-command`, 2, 0x55)
    ide.write(`${channel}-command`, 3, 0xaa)
    t.not(ide.read(`${channel}-command`, 2), 0x55)
    t.equal(ide.read(`${channel}-command`, 7) & 0x80, 0)
    t.equal(ide.read(`${channel}-control`, 0) & 0x80, 0)
  }
  t.equal(ide.read('primary-command', 0, 2), 0xff7f)
})

t.test('bus-master registers keep what is written, and are found where BAR 4 says', async (t) => {
  const ide = bench()
  ide.write('config', 0x20, 0x1040, 4)
  ide.write('config', 4, 5, 2)
  t.match(ide.maps, [{ region: 1, base: 0x1040, length: 16 }])
  ide.write('bus-master', 4, 0x12345677, 4)
  t.equal(ide.read('bus-master', 4, 4), 0x12345674)
  ide.write('bus-master', 10, 0xff)
  t.equal(ide.read('bus-master', 10), 0x60)
  ide.write('bus-master', 8, 0x09)
  t.equal(ide.read('bus-master', 8), 0x09)
  t.equal(ide.read('bus-master', 10) & 1, 1, 'active, with nothing to move')
  ide.write('bus-master', 8, 0x08)
  t.equal(ide.read('bus-master', 10) & 1, 0)
})

t.test('state makes a round trip', async (t) => {
  const ide = bench()
  ide.write('config', 0x41, 0x80)
  ide.write('config', 4, 1, 2)
  ide.write('bus-master', 4, 0x1000, 4)
  const copy = new DeviceBench(piix4Ide, { drives: [] }, {}, ide.save())
  t.same(copy.save(), ide.save())
  copy.write('config', 4, 0, 2)
  t.equal(copy.maps.length, 2, 'it knows what was mapped')
})
