/**
 * cpio archives in "newc" format, as Linux unpacks them into its first file system: Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst.
 *
 * Written here, since what an archive for a kernel needs (a device's node, made without root) no archiver does that is kept up.
 */

const MAGIC = '070701'
const DIRECTORY = 0o040_000
const CHARACTER_DEVICE = 0o020_000
const REGULAR = 0o100_000

/** A file of the archive; its parents come before it. All of them are root's. */
export type ArchivedFile = { name: string } & (
  | { kind: 'directory' }
  | { kind: 'file'; bytes: Uint8Array; isProgram?: boolean }
  | { kind: 'character'; major: number; minor: number }
)

export function cpioArchive(files: readonly ArchivedFile[]): Buffer {
  const parts = files.flatMap((file, i) => entry(file.name, headerOf(file, i + 1), bytesOf(file)))
  return Buffer.concat([...parts, ...entry('TRAILER!!!', { inode: 0, mode: 0, major: 0, minor: 0 }, new Uint8Array())])
}

interface Header {
  inode: number
  mode: number
  /** Of the device that the file is. */
  major: number
  minor: number
}

function headerOf(file: ArchivedFile, inode: number): Header {
  switch (file.kind) {
    case 'directory':
      return { inode, mode: DIRECTORY | 0o755, major: 0, minor: 0 }
    case 'file':
      return { inode, mode: REGULAR | (file.isProgram ? 0o755 : 0o644), major: 0, minor: 0 }
    case 'character':
      return { inode, mode: CHARACTER_DEVICE | 0o600, major: file.major, minor: file.minor }
  }
}

function bytesOf(file: ArchivedFile): Uint8Array {
  return file.kind === 'file' ? file.bytes : new Uint8Array()
}

/** Header and name, and the bytes, each to a multiple of four. */
function entry(name: string, { inode, mode, major, minor }: Header, bytes: Uint8Array): Uint8Array[] {
  const [owner, group, links, modified, device, check] = [0, 0, 1, 0, 0, 0]
  const nameBytes = Buffer.byteLength(name) + 1
  const fields = [
    inode,
    mode,
    owner,
    group,
    links,
    modified,
    bytes.length,
    device,
    device,
    major,
    minor,
    nameBytes,
    check,
  ]
  const head = Buffer.from(`${MAGIC}${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`)
  return [head, padding(head.length), bytes, padding(bytes.length)]
}

function padding(length: number): Uint8Array {
  return new Uint8Array(-length & 3)
}
