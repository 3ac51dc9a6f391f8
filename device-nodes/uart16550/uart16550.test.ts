import t from 'tap'
import { NEVER, StateError } from '../../bus/mod.ts'
import { DeviceBench } from '../../bus/testing.ts'
import { uart16550 } from './uart16550.ts'

const PC = { registerStrideBytes: 1, clockHertz: 1_843_200, out2GatesInterrupt: true } as const
const CHARACTER_NS = 86_805

const bench = () => new DeviceBench(uart16550, PC)
type Bench = ReturnType<typeof bench>

/** 115200 8N1, FIFOs on with their trigger at 8, OUT2: as Linux's 8250 driver sets up a console. */
function setUp(b: Bench): void {
  b.write(0, 3, 0x83)
  b.write(0, 0, 1)
  b.write(0, 1, 0)
  b.write(0, 3, 0x03)
  b.write(0, 2, 0x81)
  b.write(0, 4, 0x0b)
}

t.test('what is written to THR is out at once, and THR empty again', async (t) => {
  const b = bench()
  setUp(b)
  for (const byte of Buffer.from('Linux\r\n')) b.write(0, 0, byte)
  t.equal(b.outputText, 'Linux\r\n')
  t.equal(b.read(0, 5), 0x60)
  t.equal(b.lastData?.validUntil, NEVER, 'polling LSR is free')
})

t.test("Linux's autoconfig finds a 16550A", async (t) => {
  const b = bench()
  b.write(0, 1, 0x0f)
  t.equal(b.read(0, 1), 0x0f)
  b.write(0, 1, 0)
  t.equal(b.read(0, 1), 0)
  b.write(0, 4, 0x1a)
  t.equal(b.read(0, 6) & 0xf0, 0x90, 'LOOP: RTS gives CTS, OUT2 gives DCD')
  b.write(0, 4, 0)
  t.equal(b.read(0, 6) & 0xf0, 0xb0, 'CTS, DSR and DCD from outside')
  b.write(0, 2, 0x01)
  t.equal(b.read(0, 2) >> 6, 3, 'working FIFOs')
  b.write(0, 2, 0)
  t.equal(b.read(0, 2), 0x01)
  b.write(0, 1, 0x40)
  t.equal(b.read(0, 1), 0, 'no UUE bit, as an XScale would have')
  t.match(b.unhandled, ['uart16550: IER reserved bits 0x40 written'])
  b.write(0, 7, 0xa5)
  t.equal(b.read(0, 7), 0xa5)
})

t.test('switching the transmitter interrupt on raises it, reading IIR clears it, each time anew', async (t) => {
  const b = bench()
  setUp(b)
  for (let round = 0; round < 2; round++) {
    b.write(0, 1, 0x02)
    t.equal(b.line('irq'), 1)
    t.equal(b.read(0, 2), 0xc2)
    t.equal(b.lastData?.validUntil, 0, 'a read that clears is never repeated')
    t.equal(b.line('irq'), 0)
    t.equal(b.read(0, 2), 0xc1)
    t.equal(b.lastData?.validUntil, NEVER)
    b.write(0, 1, 0)
  }
  b.write(0, 1, 0x02)
  b.read(0, 2)
  b.write(0, 0, 0x41)
  t.equal(b.line('irq'), 1, 'a character sent empties THR again')
})

t.test('OUT2 switches the interrupt line on a PC, and only there', async (t) => {
  const b = bench()
  b.write(0, 1, 0x02)
  t.equal(b.line('irq'), 0)
  b.write(0, 4, 0x08)
  t.equal(b.line('irq'), 1)
  b.write(0, 4, 0x18)
  t.equal(b.line('irq'), 0, 'the loop takes OUT2 away')
  const open = new DeviceBench(uart16550, { ...PC, out2GatesInterrupt: false })
  open.write(0, 1, 0x02)
  t.equal(open.line('irq'), 1)
})

t.test('typed text arrives a character time apart and waits while the FIFO is full', async (t) => {
  const b = bench()
  setUp(b)
  const text = 'abcdefghijklmnopqrstuvwxyz'
  b.input(text)
  t.equal(b.read(0, 5), 0x60, 'nothing yet')
  b.advance(CHARACTER_NS)
  t.equal(b.read(0, 5), 0x61)
  b.advance(40 * CHARACTER_NS)
  t.equal(b.due, NEVER, 'the FIFO is full and the wire stands still')
  let got = ''
  for (let i = 0; i < 60; i++) {
    while ((b.read(0, 5) & 1) !== 0) got += String.fromCharCode(b.read(0, 0))
    b.advance(CHARACTER_NS / 2)
  }
  t.equal(got, text)
  t.equal(b.read(0, 5), 0x60, 'no overrun')
})

t.test('receive interrupts: trigger level, then character timeout after four characters', async (t) => {
  const b = bench()
  setUp(b)
  b.write(0, 1, 0x01)
  b.input('0123456789')
  b.advance(7 * CHARACTER_NS)
  t.equal(b.line('irq'), 0)
  b.advance(CHARACTER_NS)
  t.equal(b.line('irq'), 1)
  t.equal(b.read(0, 2), 0xc4)
  for (let i = 0; i < 8; i++) b.read(0, 0)
  t.equal(b.line('irq'), 0)
  b.advance(2 * CHARACTER_NS)
  t.equal(b.read(0, 2), 0xc1, 'two characters, below the trigger')
  b.advance(4 * CHARACTER_NS - 1)
  t.equal(b.line('irq'), 0)
  b.advance(1)
  t.equal(b.line('irq'), 1)
  t.equal(b.read(0, 2), 0xcc)
  t.equal(b.read(0, 0), 0x38)
  t.equal(b.line('irq'), 0, 'a read starts the timeout again')
  b.advance(4 * CHARACTER_NS)
  t.equal(b.read(0, 2), 0xcc)
  t.equal(b.read(0, 0), 0x39)
  t.equal(b.read(0, 2), 0xc1)
  t.equal(b.due, NEVER)
})

t.test('switching the receive interrupt on late finds the timeout over', async (t) => {
  const b = bench()
  setUp(b)
  b.input('x')
  b.advance(20 * CHARACTER_NS)
  t.equal(b.due, NEVER, 'no timer that nobody waits for')
  b.write(0, 1, 0x01)
  t.equal(b.read(0, 2), 0xcc)
})

t.test('without FIFOs one character is held and the others wait on the wire', async (t) => {
  const b = bench()
  b.write(0, 1, 0x01)
  b.write(0, 4, 0x08)
  b.input('xy')
  b.advance(10 * CHARACTER_NS)
  t.equal(b.read(0, 2), 0x04)
  t.equal(b.read(0, 0), 0x78)
  t.equal(b.read(0, 2), 0x01)
  b.advance(CHARACTER_NS)
  t.equal(b.read(0, 0), 0x79)
  t.equal(b.read(0, 0), 0x79, 'an empty RBR reads what it last held')
})

t.test('the character time follows divisor and LCR', async (t) => {
  const b = bench()
  b.write(0, 3, 0x80 | 0x1f)
  b.write(0, 0, 12)
  b.write(0, 3, 0x1f)
  b.input('x')
  // 9600 baud, 8E2: 12 bits.
  t.equal(b.due, 1_250_000)
})

t.test('loopback: characters come back, an overrun shows once and interrupts, deltas follow the lines', async (t) => {
  const b = bench()
  setUp(b)
  b.write(0, 4, 0x10)
  b.read(0, 6)
  for (let i = 0; i < 17; i++) b.write(0, 0, 0x40 + i)
  t.equal(b.outputText, '')
  b.write(0, 1, 0x04)
  t.equal(b.read(0, 2), 0xc6)
  t.equal(b.read(0, 5), 0x63, 'OE')
  t.equal(b.read(0, 5), 0x61)
  t.equal(b.read(0, 2), 0xc1)
  t.equal(b.read(0, 0), 0x40)
  b.write(0, 1, 0x08)
  b.write(0, 4, 0x14)
  t.equal(b.read(0, 6), 0x40, 'RI begins: no TERI')
  b.write(0, 4, 0x13)
  t.equal(b.read(0, 2), 0xc0)
  t.equal(b.read(0, 6), 0x37)
  t.equal(b.read(0, 6), 0x30)
  t.equal(b.lastData?.validUntil, NEVER)
  b.write(0, 2, 0x83)
  b.write(0, 3, 0x43)
  t.equal(b.read(0, 5), 0xf9, 'a break comes round with BI and FE')
  t.equal(b.read(0, 5), 0xe1)
})

t.test('more than 65536 characters on the wire are lost, and said to be', async (t) => {
  const b = bench()
  setUp(b)
  b.input(new Uint8Array(65_536))
  t.equal(b.read(0, 5) & 0x02, 0)
  b.input('x')
  t.equal(b.read(0, 5) & 0x02, 0x02)
})

t.test('a CBUS port has 32-bit registers, eight bytes apart', async (t) => {
  const b = new DeviceBench(uart16550, { registerStrideBytes: 8, clockHertz: 3_686_400, out2GatesInterrupt: false })
  b.write(0, 0x38, 0x5a, 4)
  t.equal(b.read(0, 0x38, 4), 0x5a)
  b.write(0, 0, 0x41, 4)
  t.equal(b.outputText, 'A')
  const region = b.host.regions[0]
  t.match(region, { kind: 'registers', size: 64, minBytes: 4, endian: 'native' })
})

t.test('state comes back in the middle of everything', async (t) => {
  const whole = bench()
  setUp(whole)
  whole.write(0, 1, 0x03)
  whole.input('hello, world')
  whole.advance(5 * CHARACTER_NS + 7)
  const saved = whole.save()
  const again = new DeviceBench(uart16550, PC, {}, structuredClone(saved))
  again.advanceTo(whole.now)
  t.same(again.save(), saved)
  for (const b of [whole, again]) {
    b.advance(60 * CHARACTER_NS)
    t.equal(b.read(0, 2), 0xc4)
    let got = ''
    while ((b.read(0, 5) & 1) !== 0) got += String.fromCharCode(b.read(0, 0))
    t.equal(got, 'hello, world')
  }
  t.same(again.save(), whole.save())
  const damaged = structuredClone(saved)
  damaged.state['ier'] = 16
  t.throws(() => again.host.restore(damaged), StateError)
  t.throws(() => again.host.restore(damaged), /uart16550: ier/)
})

t.test('the log names registers and bits', async (t) => {
  const decode = uart16550.decoder?.(PC)
  const write = (offset: number, value: number) => decode?.({ kind: 'write', region: 0, offset, size: 1, value })
  t.equal(write(3, 0x83), 'LCR <- 8N1|DLAB')
  t.equal(write(0, 1), 'DLL <- 0x01')
  t.equal(write(3, 0x03), 'LCR <- 8N1')
  t.equal(write(0, 0x61), "THR <- 'a'")
  t.equal(write(1, 0x05), 'IER <- ERBFI|ELSI')
  t.equal(write(2, 0x81), 'FCR <- FIFO_ENABLE, trigger 8')
  t.equal(decode?.({ kind: 'read', region: 0, offset: 5, size: 1 }), 'LSR ?')
  t.equal(decode?.({ kind: 'data', value: 0x61, validUntil: 0 }), 'LSR -> DR|THRE|TEMT')
  t.equal(decode?.({ kind: 'read', region: 0, offset: 2, size: 1 }), 'IIR ?')
  t.equal(decode?.({ kind: 'data', value: 0xc4, validUntil: 0 }), 'IIR -> DATA_AVAILABLE|FIFOS_ENABLED')
})
