/**
 * Compressed images: what they are compressed with, and their contents. Formats are told apart by their first bytes,
 * as Linux's `lib/decompress.c` does.
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { ImageError } from '../errors.ts'

export type Compression = 'gzip' | 'zstd' | 'xz' | 'bzip2' | 'lzma' | 'lz4' | 'lzop'

const MAGIC: readonly { compression: Compression; bytes: readonly number[] }[] = [
  { compression: 'gzip', bytes: [0x1f, 0x8b, 0x08] },
  { compression: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { compression: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { compression: 'bzip2', bytes: [0x42, 0x5a, 0x68] },
  { compression: 'lzma', bytes: [0x5d, 0x00, 0x00] },
  { compression: 'lz4', bytes: [0x02, 0x21, 0x4c, 0x18] },
  { compression: 'lz4', bytes: [0x04, 0x22, 0x4d, 0x18] },
  { compression: 'lzop', bytes: [0x89, 0x4c, 0x5a, 0x4f] },
]

/** The program that unpacks what is not unpacked here. */
const UNPACKER: Partial<Record<Compression, string>> = { lzma: 'unlzma', lz4: 'lz4 -d', lzop: 'lzop -d' }

/** A contents larger than this is not unpacked: no board has that much memory. */
const MAX_CONTENTS_BYTES = 1 << 30

export function compressionOf(bytes: Uint8Array): Compression | undefined {
  return MAGIC.find((entry) => entry.bytes.every((byte, index) => bytes[index] === byte))?.compression
}

/** Whether `decompress` can unpack it. */
export function canDecompress(compression: Compression): boolean {
  return UNPACKER[compression] === undefined
}

/**
 * The contents of `bytes`, which begin as `compression` does; `name` stands in errors.
 * @throws ImageError if they are cut short, damaged, too large, or in a format that is not unpacked here.
 */
export async function decompress(name: string, bytes: Uint8Array, compression: Compression): Promise<Uint8Array> {
  const unpacker = UNPACKER[compression]
  if (unpacker !== undefined) {
    throw new ImageError(`${name}: compressed with ${compression}, which is not read here; unpack it with: ${unpacker}`)
  }
  try {
    return await contentsOf(bytes, compression)
  } catch (cause) {
    const tooLarge = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    const what = tooLarge ? `its contents are larger than ${MAX_CONTENTS_BYTES} bytes` : 'cut short or damaged'
    throw new ImageError(`${name}: ${what} (${compression}); fetch or copy it again`, { cause })
  }
}

async function contentsOf(bytes: Uint8Array, compression: Compression): Promise<Uint8Array> {
  switch (compression) {
    case 'gzip':
      return gunzipSync(bytes, { maxOutputLength: MAX_CONTENTS_BYTES })
    case 'zstd':
      return zstdDecompressSync(bytes, { maxOutputLength: MAX_CONTENTS_BYTES })
    case 'xz': {
      const { default: xz } = await import('xz-decompress')
      // It is WebAssembly, whose compilation alone does not keep Node from ending the process when all else waits for it.
      const waiting = setInterval(() => {}, 1000)
      try {
        return await readAll(new xz.XzReadableStream(new Blob([new Uint8Array(bytes)]).stream()))
      } finally {
        clearInterval(waiting)
      }
    }
    default: {
      const { default: bzip2 } = await import('seek-bzip')
      return bzip2.decode(Buffer.from(bytes))
    }
  }
}

/** Gathers a stream, up to the bound. */
async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let total = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    total += chunk.length
    if (total > MAX_CONTENTS_BYTES) throw Object.assign(new Error('too large'), { code: 'ERR_BUFFER_TOO_LARGE' })
  }
  return Buffer.concat(chunks, total)
}
