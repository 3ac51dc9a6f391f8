import t from 'tap'
import { BUS, CPU, type Message } from '../bus/mod.ts'
import { scriptedCpu } from '../bus/testing.ts'
import { boards } from '../device-nodes/mod.ts'
import { DeviceReplay } from './device-replay.ts'

t.test('a device that fails at a register that it has not is a divergence there', async (t) => {
  const { board } = boards['malta']!.build({ memoryBytes: 2 ** 26 })
  const failed: string[] = []
  const spec = { board, loads: [], createCpu: scriptedCpu({}) }
  for (const { name } of board.devices) {
    const entries: Message[] = [
      { vt: 0, icount: 0, src: BUS, dst: name, payload: { kind: 'reset' } },
      { vt: 8, icount: 1, src: CPU, dst: name, payload: { kind: 'write', region: 0, offset: 99, size: 1, value: 1 } },
      { vt: 16, icount: 2, src: BUS, dst: 'world', payload: { kind: 'stop', reason: 'quit' } },
    ]
    const journal = { entryCount: entries.length, entry: (index: number) => entries[index]! }
    const replay = new DeviceReplay(spec, name, journal)
    replay.host.begin({ kind: 'reset' }, 0, () => undefined)
    try {
      for (const [index, entry] of entries.slice(1).entries()) replay.consume(index + 1, entry)
    } catch (error) {
      failed.push(name)
      t.match(error, { name: 'DivergenceError', divergence: { node: name } }, name)
    }
  }
  t.ok(failed.includes('pit'), failed.join(' '))
})
