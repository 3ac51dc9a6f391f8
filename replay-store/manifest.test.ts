import t from 'tap'
import { DamagedError, NewerFormatError, NotARecordingError } from './errors.ts'
import { sha256 } from './identity.ts'
import { FORMAT_VERSION, manifestText, newManifest, parseManifest } from './manifest.ts'
import { sampleManifest } from './sample.ts'

const ZEROS = '0'.repeat(64)
const images = [{ name: 'kernel', sha256: ZEROS, bytes: 5 }]
const end = {
  ...{ reason: 'poweroff' as const, instructions: 10, vt: 80, digest: ZEROS, deviceStates: { uart0: ZEROS } },
  ...{ entries: 4, identity: ZEROS },
}
const manifest = newManifest(sampleManifest(), images, end)
const parse = (text: string | Uint8Array) => parseManifest(Buffer.from(text), 'a.ank/manifest.json', 'a.ank')

/** The manifest's text with changed contents and a right checksum. */
function sealed(changes: Record<string, unknown>): string {
  const json = JSON.stringify({ ...manifest, ...changes }, null, 2)
  const checked = json.slice(0, json.lastIndexOf('\n}'))
  return `${checked},\n  "checksum": "${sha256(checked)}"\n}\n`
}

t.test('a manifest comes back', async (t) => {
  t.strictSame(parse(manifestText(manifest)), manifest)
  const open = newManifest(sampleManifest(), [])
  t.strictSame(parse(manifestText(open)), open)
  t.notOk('end' in open)
  t.equal(JSON.parse(manifestText(manifest)).checksum.length, 64, 'it is JSON as it is')
})

t.test('every flipped bit is found', async (t) => {
  const text = Buffer.from(manifestText(manifest))
  for (let bit = 0; bit < text.length * 8; bit++) {
    const flipped = Buffer.from(text)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    const error = t.throws(() => parse(flipped))
    if (!(error instanceof DamagedError)) t.fail(`bit ${bit}: ${error}`)
  }
})

t.test('every cut is found', async (t) => {
  const text = manifestText(manifest)
  for (let length = 0; length < text.length; length++) {
    const error = t.throws(() => parse(text.slice(0, length)))
    // Before the format's name is there it could be anything.
    if (!(error instanceof DamagedError || (length < 40 && error instanceof NotARecordingError)))
      t.fail(`${length}: ${error}`)
  }
})

t.test('a newer format names both versions', async (t) => {
  t.throws(() => parse(sealed({ formatVersion: FORMAT_VERSION + 6, news: true })), {
    constructor: NewerFormatError,
    message: new RegExp(`a.ank has format version ${FORMAT_VERSION + 6}; this Ananke reads up to ${FORMAT_VERSION}`),
  })
})

t.test('an older format is read', async (t) => {
  for (const formatVersion of [1, 2]) t.equal(parse(sealed({ formatVersion })).formatVersion, formatVersion)
  t.equal(parse(sealed({ formatVersion: 2, gridNs: 5000, hashNs: undefined })).hashNs, 5000)
})

t.test('something else called manifest.json', async (t) => {
  t.throws(() => parse('{"name": "a browser extension"}'), NotARecordingError)
  t.throws(() => parse(''), NotARecordingError)
})

t.test('well sealed and not a manifest', async (t) => {
  const refused = (changes: Record<string, unknown>, message: RegExp) =>
    t.throws(() => parse(sealed(changes)), { constructor: DamagedError, message })
  refused({ gridNs: 'x' }, /gridNs/)
  refused({ gridNs: 1000, hashNs: 1500 }, /hashNs is no multiple of gridNs/)
  refused({ news: 1 }, /news/)
  refused({ formatVersion: 0 }, /formatVersion/)
  refused({ format: 'other' }, /its format is "other"/)
  refused({ nodes: [] }, /nodes/)
  refused({ nodes: ['cpu', 'bus', 'cpu'] }, /named twice/)
  refused({ board: { name: 'malta', options: [] } }, /not an object\n.*board\.options/)
  refused({ end: { ...end, deviceStates: [ZEROS] } }, /not an object\n.*end\.deviceStates/)
  t.throws(() => newManifest({ ...sampleManifest(), nsPerInstruction: 0 }, []), {
    name: 'ValiError',
    issues: [{ path: [{ key: 'nsPerInstruction' }] }],
  })
})

t.test("a board's options are JSON", async (t) => {
  const made = (value: unknown) => {
    const options = { a: { b: [value as string] } }
    return newManifest({ ...sampleManifest(), board: { name: 'malta', options } }, []).board.options
  }
  for (const value of ['x', 1.5, true, null, [], {}, { c: [1] }]) t.strictSame(made(value), { a: { b: [value] } })
  for (const value of [undefined, Number.NaN, new Date(0), new Uint8Array(2), [new Map()], () => 1]) {
    t.throws(() => made(value), /not a value of JSON/)
  }
  t.throws(() => made(Number.POSITIVE_INFINITY), { name: 'ValiError', message: /Infinity/ })
})
