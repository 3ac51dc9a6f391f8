/**
 * Checks an initrd before it is booted: a kernel that meets a broken one panics, or silently boots without it.
 *
 * cpio "newc" format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst. The kernel accepts several
 * archives one after the other; the first is checked here, whole, with the checksum of its compression.
 */
import { ImageError } from '../errors.ts'
import { canDecompress, compressionOf, decompress } from './compression.ts'

const NEWC_HEADER_BYTES = 110

/** File systems that a kernel can take as an initrd in place of a cpio archive. */
const FILE_SYSTEMS: readonly { offset: number; bytes: string }[] = [
  { offset: 0x438, bytes: '\x53\xef' },
  { offset: 0, bytes: 'hsqs' },
  { offset: 0, bytes: 'sqsh' },
  { offset: 0, bytes: '-rom1fs-' },
  { offset: 0, bytes: '\x45\x3d\xcd\x28' },
  { offset: 0, bytes: '\x28\xcd\x3d\x45' },
]

/**
 * @param spareBytes memory that is left beside the kernel
 * @throws ImageError if `bytes` are no initrd, are cut short or damaged, or need more than `spareBytes`.
 */
export async function checkInitrd(name: string, bytes: Uint8Array, spareBytes: number): Promise<void> {
  checkInitrdFits(name, bytes, spareBytes)
  const compression = compressionOf(bytes)
  if (compression !== undefined && !canDecompress(compression)) return
  const contents = compression === undefined ? bytes : await decompress(name, bytes, compression)
  const text = (offset: number, length: number) =>
    Buffer.from(contents.buffer, contents.byteOffset + offset, Math.min(length, contents.length - offset)).toString(
      'latin1',
    )
  if (FILE_SYSTEMS.some((entry) => contents.length > entry.offset && text(entry.offset, 8).startsWith(entry.bytes)))
    return
  const magic = text(0, 6)
  if (magic !== '070701' && magic !== '070702') {
    throw new ImageError(`${name}: not an initrd; hand over a cpio archive (newc format), compressed or not`)
  }
  checkArchive(name, contents, text)
}

/**
 * The same for an initrd whose contents have been checked: by a hash, say.
 * @throws ImageError if `bytes` need more than `spareBytes`.
 */
export function checkInitrdFits(name: string, bytes: Uint8Array, spareBytes: number): void {
  if (bytes.length <= spareBytes) return
  throw new ImageError(
    `${name}: ${bytes.length} bytes do not fit the ${spareBytes} bytes of memory beside the kernel; raise --memory`,
  )
}

/** Walks a cpio archive up to its trailer. */
function checkArchive(name: string, contents: Uint8Array, text: (offset: number, length: number) => string): void {
  const cut = () => new ImageError(`${name}: cut short: the cpio archive has no end; fetch or copy it again`)
  const align4 = (offset: number) => (offset + 3) & ~3
  let offset = 0
  for (;;) {
    if (offset + NEWC_HEADER_BYTES > contents.length) throw cut()
    const header = text(offset, NEWC_HEADER_BYTES)
    if (!/^07070[12][0-9a-fA-F]{104}$/.test(header)) {
      throw new ImageError(`${name}: damaged: no cpio header at byte ${offset}; fetch or copy it again`)
    }
    const field = (index: number) => Number.parseInt(header.slice(6 + index * 8, 14 + index * 8), 16)
    const fileBytes = field(6)
    const nameBytes = field(11)
    const nameOffset = offset + NEWC_HEADER_BYTES
    if (nameOffset + nameBytes > contents.length) throw cut()
    if (text(nameOffset, nameBytes) === 'TRAILER!!!\0') return
    offset = align4(align4(nameOffset + nameBytes) + fileBytes)
  }
}
