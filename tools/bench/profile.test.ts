import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { functionTitle, partOf, profileTables, readProfile, summarizeProfile } from './profile.ts'

const project = (path: string) => pathToFileURL(join(import.meta.dirname, '..', '..', path)).href
const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 9 })

t.test('parts', async (t) => {
  const parts: [string, string, string][] = [
    ['guest 0x80100400', 'wasm://wasm/0123', 'translated code'],
    ['dispatch', 'wasm://wasm/0123', 'translated code: dispatch'],
    ['hotLoop', 'wasm://wasm/4567', 'interpreter'],
    ['xxh64', 'wasm://wasm/89ab', 'CPU: memory, dispatch, exits'],
    ['emitRegion', project('cpu-node/translator/emit.ts'), 'translating'],
    ['lift', project('cpu-node/isa/mips/lift.ts'), 'decoding and lifting'],
    ['tlbwr', project('cpu-node/isa/mips/tlb.ts'), 'CP0, TLB and FPU helpers'],
    ['load', project('cpu-node/cpu.ts'), 'CPU: memory, dispatch, exits'],
    ['read', project('device-nodes/uart16550/uart16550.ts'), 'devices and world'],
    ['append', project('replay-store/codec.ts'), 'journal'],
    ['(garbage collector)', '', 'garbage collection'],
    ['readFileSync', 'node:fs', 'Node'],
    ['Module', '', 'translating'],
    ['wasm-to-js', '', 'between JavaScript and WebAssembly'],
    ['set', '', "V8's own functions"],
  ]
  for (const [name, url, part] of parts) t.equal(partOf(frame(name, url)), part, `${name} ${url}`)
})

t.test('time goes to the function that ran until the next sample', async (t) => {
  const summary = summarizeProfile({
    nodes: [
      { id: 1, callFrame: frame('(root)') },
      { id: 2, callFrame: frame('hotLoop', 'wasm://wasm/4567') },
      { id: 3, callFrame: frame('read', project('device-nodes/i8254/i8254.ts')) },
      // The same function, called from elsewhere.
      { id: 4, callFrame: frame('hotLoop', 'wasm://wasm/4567') },
    ],
    samples: [2, 3, 4, 2],
    timeDeltas: [500, 1_000_000, 2_000_000, 3_000_000],
  })
  t.equal(summary.seconds, 6)
  t.same(summary.parts, [
    { what: 'interpreter', seconds: 4 },
    { what: 'devices and world', seconds: 2 },
  ])
  t.same(summary.functions, [
    { what: 'hotLoop', seconds: 4 },
    { what: 'read (device-nodes/i8254/i8254.ts:10)', seconds: 2 },
  ])
  t.match(profileTables(summary), /interpreter +│ 4\.00 │ 66\.7/)
})

t.test('functions without a name', async (t) => {
  t.equal(functionTitle(frame('', project('bus/local-bus.ts'))), '(anonymous) (bus/local-bus.ts:10)')
})

t.test('of several threads the one that works, not the one that waits longest', async (t) => {
  const profile = (idle: number, busy: number) => ({
    nodes: [
      { id: 1, callFrame: frame('(idle)') },
      { id: 2, callFrame: frame('load', project('cpu-node/cpu.ts')) },
    ],
    samples: [...Array<number>(idle).fill(1), ...Array<number>(busy).fill(2)],
    timeDeltas: Array<number>(idle + busy).fill(1000),
  })
  const directory = t.testdir({
    'CPU.1.0.cpuprofile': JSON.stringify(profile(10, 50)),
    'CPU.1.1.cpuprofile': JSON.stringify(profile(100, 5)),
    'CPU.1.2.cpuprofile': JSON.stringify(profile(0, 20)),
  })
  t.same(readProfile(directory), profile(10, 50))
  t.throws(() => readProfile(t.testdir({ empty: {} })), /no profile in/)
})
