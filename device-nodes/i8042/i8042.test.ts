import t from 'tap'
import { NEVER, StateError } from '../../bus/mod.ts'
import { DeviceBench } from '../../bus/testing.ts'
import { i8042 } from './i8042.ts'

const bench = () => new DeviceBench(i8042, {})
type Bench = ReturnType<typeof bench>

const data = (b: Bench) => b.read('data', 0)
const status = (b: Bench) => b.read('command', 0)
const command = (b: Bench, value: number) => b.write('command', 0, value)
const send = (b: Bench, value: number) => b.write('data', 0, value)
/** All bytes that wait, each with a `m` before it when it is the mouse's. */
function drain(b: Bench): string {
  const words: string[] = []
  for (let i = 0; i < 400 && (status(b) & 0x01) !== 0; i++) {
    const from = (status(b) & 0x20) !== 0 ? 'm' : ''
    words.push(from + data(b).toString(16).padStart(2, '0'))
  }
  return words.join(' ')
}
function controller(b: Bench, first: number, ...rest: number[]): string {
  command(b, first)
  for (const byte of rest) send(b, byte)
  return drain(b)
}
const keyboard = (b: Bench, ...bytes: number[]) => {
  for (const byte of bytes) send(b, byte)
  return drain(b)
}
const mouse = (b: Bench, ...bytes: number[]) =>
  bytes
    .map((byte) => controller(b, 0xd4, byte))
    .filter((answer) => answer !== '')
    .join(' ')

t.test("Linux's i8042 driver finds a controller without multiplexer, and an aux port", async (t) => {
  const b = bench()
  t.equal(status(b), 0x18)
  t.equal(b.lastData?.validUntil, NEVER, 'polling the status is free')
  t.equal(controller(b, 0xaa), '55')
  t.equal(status(b) & 0x04, 0x04)
  t.equal(controller(b, 0x20), '03')
  for (const byte of [0xf0, 0x56, 0xa4, 0x5a]) {
    t.equal(controller(b, 0xd3, byte), `m${byte.toString(16)}`, 'the aux loop gives back what it got')
  }
  t.equal(controller(b, 0xa9), '00')
  t.equal(controller(b, 0xab), '00')
  command(b, 0xa7)
  t.equal(controller(b, 0x20), '23')
  command(b, 0xa8)
  t.equal(controller(b, 0x20), '03')
  t.same(b.unhandled, [])
})

t.test('interrupts: one edge a byte, switched by the command byte', async (t) => {
  const b = bench()
  controller(b, 0x60, 0x30)
  controller(b, 0x60, 0x02)
  command(b, 0xd3)
  send(b, 0xa5)
  t.equal(b.line('irq12'), 1)
  t.equal(b.line('irq1'), 0)
  t.equal(data(b), 0xa5)
  t.equal(b.line('irq12'), 0)
  controller(b, 0x60, 0x01)
  send(b, 0xf2)
  t.equal(b.line('irq1'), 1)
  const before = b.lineChanges.length
  t.equal(data(b), 0xfa)
  t.same(
    b.lineChanges.slice(before).map(({ output, level }) => `${output} ${level}`),
    ['irq1 0', 'irq1 1'],
  )
  t.equal(drain(b), 'ab 83')
  t.equal(b.line('irq1'), 0)
  t.equal(data(b), 0x83, 'an empty buffer reads what it last held')
})

t.test('atkbd: identify, reset, LEDs, rate, scan code sets', async (t) => {
  const b = bench()
  t.equal(keyboard(b, 0xf2), 'fa ab 83')
  t.equal(keyboard(b, 0xff), 'fa aa')
  t.equal(keyboard(b, 0xed, 0x07), 'fa fa')
  t.equal(keyboard(b, 0xf3, 0x00), 'fa fa')
  t.equal(keyboard(b, 0xf0, 0x00), 'fa fa 02')
  t.equal(keyboard(b, 0xf0, 0x03), 'fa fa')
  t.equal(keyboard(b, 0xf0, 0x00), 'fa fa 03')
  t.equal(keyboard(b, 0xf0, 0x09), 'fa fe')
  t.equal(keyboard(b, 0xee), 'ee')
  t.equal(keyboard(b, 0xf4), 'fa')
  t.equal(keyboard(b, 0xfe), 'fa', 'resend')
  t.equal(keyboard(b, 0xea), 'fe')
  t.same(b.unhandled, ['PS/2 keyboard: command 0xea'])
})

t.test('typed keys: set 2 as they are, or translated; an answer comes before them', async (t) => {
  const b = bench()
  b.input(Uint8Array.of(0x1c, 0xf0, 0x1c))
  t.equal(drain(b), '1c f0 1c')
  controller(b, 0x60, 0x43)
  b.input(Uint8Array.of(0x1c, 0xf0, 0x1c, 0xe0, 0x75, 0xe0, 0xf0, 0x75, 0x83))
  t.equal(drain(b), '1e 9e e0 48 e0 c8 41')
  t.equal(keyboard(b, 0xf2), 'fa ab 41')
  controller(b, 0x60, 0x03)
  keyboard(b, 0xf5)
  b.input(Uint8Array.of(0x1c))
  t.equal(drain(b), '', 'disabled')
  keyboard(b, 0xf4)
  b.input(Uint8Array.of(0x1c, 0x32))
  send(b, 0xee)
  t.equal(drain(b), '1c ee 32', 'the buffer was full already')
})

t.test('a disabled interface holds its bytes back', async (t) => {
  const b = bench()
  command(b, 0xad)
  b.input(Uint8Array.of(0x1c))
  t.equal(status(b) & 0x01, 0)
  command(b, 0xae)
  t.equal(drain(b), '1c')
  command(b, 0xad)
  t.equal(keyboard(b, 0xf2), 'fa ab 83', 'writing to the keyboard enables it again')
})

t.test('more keys than a keyboard holds end with the overrun code', async (t) => {
  const b = bench()
  b.input(new Uint8Array(400).fill(0x1c))
  const got = drain(b).split(' ')
  t.equal(got.length, 256)
  t.equal(got.at(-1), '00')
})

t.test('psmouse: reset, identify, the Explorer knock, status, resolution, enable', async (t) => {
  const b = bench()
  t.equal(mouse(b, 0xff), 'mfa maa m00')
  t.equal(mouse(b, 0xf2), 'mfa m00')
  t.equal(mouse(b, 0xf3, 200, 0xf3, 100, 0xf3, 80), 'mfa mfa mfa mfa mfa mfa')
  t.equal(mouse(b, 0xf2), 'mfa m03')
  mouse(b, 0xf3, 200, 0xf3, 200, 0xf3, 80)
  t.equal(mouse(b, 0xf2), 'mfa m04')
  t.equal(mouse(b, 0xe9), 'mfa m00 m02 m50')
  t.equal(mouse(b, 0xe8, 3, 0xe7, 0xf4), 'mfa mfa mfa mfa')
  t.equal(mouse(b, 0xe9), 'mfa m30 m03 m50')
  t.equal(mouse(b, 0xeb), 'mfa m08 m00 m00 m00')
  t.equal(mouse(b, 0xe1), 'mfe')
  t.equal(mouse(b, 0xee, 0x55, 0xec), 'mfa m55 mfa')
})

t.test('the output port: A20, interrupts, reset', async (t) => {
  const b = bench()
  t.equal(controller(b, 0xd0), 'cf')
  controller(b, 0xd1, 0xcd)
  t.equal(controller(b, 0xd0), 'cd')
  command(b, 0xff)
  t.equal(b.lineChanges.filter(({ output }) => output === 'reset').length, 0)
  command(b, 0xfe)
  t.same(
    b.lineChanges.filter(({ output }) => output === 'reset').map(({ level }) => level),
    [1, 0],
  )
})

t.test('state comes back between a command and its data', async (t) => {
  const whole = bench()
  controller(whole, 0x60, 0x43)
  send(whole, 0xff)
  whole.input(Uint8Array.of(0xf0))
  command(whole, 0xd4)
  const saved = whole.save()
  const again = new DeviceBench(i8042, {}, {}, structuredClone(saved))
  for (const b of [whole, again]) {
    send(b, 0xf2)
    t.equal(drain(b), 'fa aa mfa m00')
    b.input(Uint8Array.of(0x1c))
    t.equal(drain(b), '9e')
  }
  t.same(again.save(), whole.save())
  const damaged = structuredClone(saved)
  damaged.state['keyboard'] = { ...(damaged.state['keyboard'] as object), leds: 9 }
  t.throws(() => again.host.restore(damaged), StateError)
  t.throws(() => again.host.restore(damaged), /i8042: keyboard.leds/)
})

t.test('the log names commands', async (t) => {
  const decode = i8042.decoder?.({})
  const write = (region: number, value: number) => decode?.({ kind: 'write', region, offset: 0, size: 1, value })
  t.equal(write(1, 0x60), 'command <- write command byte')
  t.equal(write(0, 0x43), 'command byte <- KEYBOARD_INTERRUPT|AUX_INTERRUPT|TRANSLATE')
  t.equal(write(0, 0xf2), 'keyboard <- 0xf2')
  t.equal(write(1, 0xd4), 'command <- write aux device')
  t.equal(write(0, 0xff), 'aux device <- 0xff')
  t.equal(write(1, 0xfe), 'command <- pulse output port NOT_RESET')
})
