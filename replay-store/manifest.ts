/**
 * `manifest.json`: what a recording is of, and what its node names, images and end are. It is JSON for people to read;
 * its last field is the SHA-256 of all text before that field, in every format version, so that damage is told from a
 * newer format.
 */
import { z } from 'zod'
import { DamagedError, NewerFormatError, NotARecordingError } from './errors.ts'
import { sha256 } from './identity.ts'

/** Version of a recording's layout: manifest, tail, segments and canonical entries. Older ones stay readable. */
export const FORMAT_VERSION = 1

const FORMAT = 'ananke-recording'

const whole = z.int().min(0)
const hash = z.string().regex(/^[0-9a-f]{64}$/)

const imageSchema = z.strictObject({
  /** What the board calls it: `kernel`, `initrd`, ... */
  name: z.string().min(1),
  sha256: hash,
  bytes: whole,
})

const endSchema = z.strictObject({
  reason: z.enum(['poweroff', 'quit', 'limit', 'failed']),
  /** icount and vt at the end. */
  instructions: whole,
  vt: whole,
  /** The run's digest: of the journal's identity and the CPU's final state. */
  digest: hash,
  /** SHA-256 of each device's final state. */
  deviceStates: z.record(z.string(), hash),
  /** Entries of the journal, and its identity. */
  entries: whole,
  identity: hash,
})

const manifestSchema = z.strictObject({
  format: z.literal(FORMAT),
  formatVersion: z.literal(FORMAT_VERSION),
  /** The version of Ananke that made the recording. */
  createdWith: z.string(),
  board: z.strictObject({ name: z.string().min(1), options: z.record(z.string(), z.json()) }),
  guest: z.string(),
  nsPerInstruction: whole.min(1),
  gridNs: whole.min(1),
  memoryBytes: whole,
  /** Host time of day given to the guest at power-on: seconds since 1970. */
  rtcSeconds: z.int(),
  /** The input script's text. */
  script: z.string().exactOptional(),
  /** The names that entries refer to by index. */
  nodes: z
    .array(z.string().min(1))
    .min(1)
    .refine((names) => new Set(names).size === names.length, 'a node is named twice'),
  images: z.array(imageSchema),
  /** Absent while recording, and for ever when the recorder was killed. */
  end: endSchema.exactOptional(),
})

export type Manifest = z.infer<typeof manifestSchema>
export type ImageRecord = z.infer<typeof imageSchema>
export type StoredEnd = z.infer<typeof endSchema>
/** What the run knows of its end; the writer adds what it knows of the journal. */
export type RecordingEnd = Omit<StoredEnd, 'entries' | 'identity'>
/** What a new recording is made from; the writer adds the rest. */
export type ManifestInput = Omit<Manifest, 'format' | 'formatVersion' | 'images' | 'end'>

/** The whole manifest. Throws a `ZodError` for values that are not those of a manifest: the caller's mistake. */
export function newManifest(input: ManifestInput, images: readonly ImageRecord[], end?: StoredEnd): Manifest {
  return manifestSchema.parse({
    format: FORMAT,
    formatVersion: FORMAT_VERSION,
    ...input,
    images,
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
  const parsed = manifestSchema.safeParse(json)
  if (!parsed.success) throw fail(z.prettifyError(parsed.error), parsed.error)
  return parsed.data
}
