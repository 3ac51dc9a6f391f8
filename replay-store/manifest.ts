/**
 * `manifest.json`: what a recording is of, and what its node names, images and end are. It is JSON for people to read;
 * its last field is the SHA-256 of all text before that field, in every format version, so that damage is told from a
 * newer format.
 */
import * as v from 'valibot'
import { DamagedError, NewerFormatError, NotARecordingError } from './errors.ts'
import { sha256 } from './identity.ts'

/**
 * Version of a recording's layout: manifest, tail, segments, canonical entries, and what the digest is of. Older ones stay
 * readable. Since 2 the digest has memory's pages by their hashes; since 3 hash points may be fewer than grid points; since 4 there are
 * drives.
 */
export const FORMAT_VERSION = 4
const OLDER_VERSIONS = [1, 2, 3]

const FORMAT = 'ananke-recording'

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const positive = v.pipe(whole, v.minValue(1))
const name = v.pipe(v.string(), v.minLength(1))
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))

/** Names and values. (`v.record` by itself would take an array for one, or any other object.) */
const record = <T extends v.GenericSchema>(item: T) =>
  v.pipe(v.custom<Record<string, unknown>>(isPlainObject, 'not an object'), v.record(v.string(), item))

type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
const json: v.GenericSchema<unknown, Json> = v.lazy(() =>
  v.union(
    [v.string(), v.pipe(v.number(), v.finite()), v.boolean(), v.null(), v.array(json), record(json)],
    'not a value of JSON',
  ),
)

const imageSchema = v.strictObject({
  /** What the board calls it: `kernel`, `initrd`, ... */
  name,
  sha256: hash,
  bytes: whole,
})

/** A drive's image, of which the recording has what was read. */
const driveSchema = v.strictObject({
  /** The storage that it is in: `ide.disk0`. It names a file. */
  name: v.pipe(v.string(), v.regex(/^[a-z0-9]+(\.[a-z0-9]+)*$/)),
  /** Where the image was. */
  path: v.string(),
  /** Of the whole image. */
  sha256: hash,
  bytes: positive,
})

const endSchema = v.strictObject({
  reason: v.picklist(['poweroff', 'quit', 'limit', 'failed']),
  /** icount and vt at the end. */
  instructions: whole,
  vt: whole,
  /** The run's digest: of the journal's identity and the CPU's final state. */
  digest: hash,
  /** SHA-256 of each device's final state. */
  deviceStates: record(hash),
  /** Entries of the journal, and its identity. */
  entries: whole,
  identity: hash,
})

const fieldsSchema = v.strictObject({
  format: v.literal(FORMAT),
  formatVersion: v.picklist([...OLDER_VERSIONS, FORMAT_VERSION]),
  /** The version of Ananke that made the recording. */
  createdWith: v.string(),
  board: v.strictObject({ name, options: record(json) }),
  guest: v.string(),
  nsPerInstruction: positive,
  gridNs: positive,
  /** Files of versions before 3 have none: it is `gridNs` then. */
  hashNs: v.exactOptional(positive),
  memoryBytes: whole,
  /** Host time of day given to the guest at power-on: seconds since 1970. */
  rtcSeconds: v.pipe(v.number(), v.safeInteger()),
  /** The input script's text. */
  script: v.exactOptional(v.string()),
  /** The names that entries refer to by index. */
  nodes: v.pipe(
    v.array(name),
    v.minLength(1),
    v.check((names) => new Set(names).size === names.length, 'a node is named twice'),
  ),
  images: v.array(imageSchema),
  drives: v.exactOptional(v.array(driveSchema)),
  /** Absent while recording, and for ever when the recorder was killed. */
  end: v.exactOptional(endSchema),
})

const manifestSchema = v.pipe(
  fieldsSchema,
  v.transform((fields) => ({ ...fields, hashNs: fields.hashNs ?? fields.gridNs })),
  v.check(({ gridNs, hashNs }) => hashNs % gridNs === 0, 'hashNs is no multiple of gridNs'),
)

export type Manifest = v.InferOutput<typeof manifestSchema>
export type ImageRecord = v.InferOutput<typeof imageSchema>
export type DriveRecord = v.InferOutput<typeof driveSchema>
export type StoredEnd = v.InferOutput<typeof endSchema>
/** What the run knows of its end; the writer adds what it knows of the journal. */
export type RecordingEnd = Omit<StoredEnd, 'entries' | 'identity'>
/** What a new recording is made from; the writer adds the rest. */
export type ManifestInput = Omit<Manifest, 'format' | 'formatVersion' | 'images' | 'drives' | 'end'>

/** The whole manifest. Throws a `ValiError` for values that are not those of a manifest: the caller's mistake. */
export function newManifest(
  input: ManifestInput,
  images: readonly ImageRecord[],
  end?: StoredEnd,
  drives: readonly DriveRecord[] = [],
): Manifest {
  return v.parse(manifestSchema, {
    format: FORMAT,
    formatVersion: FORMAT_VERSION,
    ...input,
    images,
    ...(drives.length === 0 ? {} : { drives }),
    ...(end === undefined ? {} : { end }),
  })
}

const CHECKSUM_FIELD = /,\n {2}"checksum": "([0-9a-f]{64})"\n}\n$/

/** The manifest's file. */
export function manifestText(manifest: Manifest): string {
  const json = JSON.stringify(manifest, null, 2)
  const checked = json.slice(0, json.lastIndexOf('\n}'))
  return `${checked},\n  "checksum": "${sha256(checked)}"\n}\n`
}

/** Reads a manifest's file, checked. `directory` is the recording's, for the messages. */
export function parseManifest(bytes: Uint8Array, path: string, directory: string): Manifest {
  const fail = (what: string, cause?: unknown) => new DamagedError(path, 'the manifest', what, cause)
  const text = Buffer.from(bytes).toString('utf8')
  const checksum = CHECKSUM_FIELD.exec(text)
  if (checksum === null) {
    if (!text.includes(FORMAT) && !text.includes('"formatVersion"')) {
      throw new NotARecordingError(
        `${directory} is not a recording: its manifest.json is of something else. Give a directory that ananke record made.`,
        directory,
      )
    }
    throw fail('its checksum is missing or not one')
  }
  const checked = text.slice(0, checksum.index)
  // A byte that is not UTF-8 would read as a replacement character: the text must be the bytes.
  if (!Buffer.from(text).equals(bytes)) throw fail('it is not UTF-8')
  if (sha256(checked) !== checksum[1]) throw fail('its checksum does not match')

  let json: { format?: unknown; formatVersion?: unknown }
  try {
    json = JSON.parse(`${checked}\n}`)
  } catch (cause) {
    throw fail('it is not JSON', cause)
  }
  if (json.format !== FORMAT) throw fail(`its format is ${JSON.stringify(json.format)}, not "${FORMAT}"`)
  if (typeof json.formatVersion === 'number' && json.formatVersion > FORMAT_VERSION) {
    throw new NewerFormatError(
      `${directory} has format version ${json.formatVersion}; this Ananke reads up to ${FORMAT_VERSION}. ` +
        'Use the Ananke that made it, or a later one.',
      directory,
    )
  }
  const parsed = v.safeParse(manifestSchema, json)
  if (!parsed.success) throw fail(v.summarize(parsed.issues), new v.ValiError(parsed.issues))
  return parsed.output
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
