import t from 'tap'
import { DeviceBench } from '../../bus/testing.ts'
import { powerSwitch } from './power-switch.ts'

t.test('off, reset and nothing else', async (t) => {
  const power = new DeviceBench(powerSwitch, {})
  power.write(0, 0, 1, 4)
  t.equal(power.outputText, '')
  t.equal(power.unhandled.length, 1)
  power.write(0, 0, 0x42, 4)
  power.write(0, 0, 0xff, 4)
  t.same(
    power.outputs.map(({ bytes }) => Buffer.from(bytes).toString()),
    ['reset', 'off'],
  )
  t.equal(power.read(0, 0, 4), 0)
  t.same(new DeviceBench(powerSwitch, {}, {}, power.save()).save(), power.save())
})
