import { gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import { compressionOf, decompress } from './compression.ts'
import { checkInitrd } from './initrd.ts'
import { readImageFile, readKernel } from './kernel.ts'
import { cpioArchive, elfFile } from './sample.ts'

const LIMITS = { endian: 'little', lowMemoryBytes: 256 << 20 } as const

// `echo hello | xz` and `| bzip2`, which Node cannot make.
const XZ_HELLO = '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jMAQAFaGVsbG8KAAAApWCX8ZT2/eAAAR4GwS+kHR+2830BAAAAAARZWg=='
const BZIP2_HELLO = 'QlpoOTFBWSZTWcHAgOIAAAFBAAAQAkSgADDNAMNGKZcXckU4UJDBwIDi'

t.test('a kernel of either byte order is read', async (t) => {
  for (const endian of ['little', 'big'] as const) {
    const kernel = await readKernel('vmlinux', elfFile({ endian }), { lowMemoryBytes: 256 << 20 })
    t.equal(kernel.endian, endian)
    t.equal(kernel.entry, 0x80100000)
    t.equal(kernel.segments.length, 1)
    t.equal(kernel.segments[0]?.address, 0x80100000)
    t.equal(kernel.segments[0]?.bytes.length, 72, 'with its zeros')
    t.equal(kernel.segments[0]?.bytes[63], 63)
    t.equal(kernel.segments[0]?.bytes[64], 0)
  }
})

t.test('a compressed kernel is the kernel', async (t) => {
  const plain = await readKernel('vmlinux', elfFile(), LIMITS)
  t.same(await readKernel('vmlinux.gz', gzipSync(elfFile()), LIMITS), plain)
  t.same(await readKernel('vmlinux.zst', zstdCompressSync(elfFile()), LIMITS), plain)
})

t.test('xz and bzip2 are unpacked', async (t) => {
  for (const [compression, text] of [
    ['xz', XZ_HELLO],
    ['bzip2', BZIP2_HELLO],
  ] as const) {
    const bytes = Buffer.from(text, 'base64')
    t.equal(compressionOf(bytes), compression)
    t.equal(Buffer.from(await decompress('hello', bytes, compression)).toString(), 'hello\n')
    await t.rejects(decompress('hello', bytes.subarray(0, 30), compression), {
      name: 'ImageError',
      message: /cut short/,
    })
  }
})

t.test('what is no kernel for this machine is named', async (t) => {
  const bzImage = new Uint8Array(0x400)
  bzImage.set(Buffer.from('HdrS'), 0x202)
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['x86-64', elfFile({ bits: 64, machine: 62 }), /a kernel for x86-64;.*needs one for 32-bit MIPS$/],
    ['AArch64', elfFile({ bits: 64, machine: 183 }), /a kernel for AArch64;/],
    ['32-bit ARM', elfFile({ machine: 40 }), /a kernel for ARM \(32-bit\);/],
    ['64-bit MIPS', elfFile({ bits: 64 }), /a kernel for MIPS \(64-bit, little endian\);/],
    ['big endian', elfFile({ endian: 'big' }), /a big-endian kernel, but the machine is little endian$/],
    ['bzImage', bzImage, /an x86 kernel \(bzImage\);/],
    ['text', Buffer.from('hello'), /not a kernel; hand over/],
    ['object file', elfFile({ type: 1 }), /not an executable/],
    ['lz4', Buffer.from([0x02, 0x21, 0x4c, 0x18, 0, 0]), /lz4.*unpack it with: lz4 -d$/],
    ['user space', elfFile({ address: 0x00400000 }), /linked to 0x00400000, outside/],
    ['too big', elfFile({ address: 0x90000000 }), /needs memory up to 0x10000048, but it ends at 0x10000000; raise/],
  ]
  for (const [what, bytes, message] of cases) {
    await t.rejects(readKernel('kernel', bytes, LIMITS), { name: 'ImageError', message }, what)
  }
})

t.test('a kernel that is cut anywhere is refused in one line', async (t) => {
  for (const whole of [elfFile(), gzipSync(elfFile()), zstdCompressSync(elfFile())]) {
    for (let length = 1; length < whole.length; length++) {
      const error = await readKernel('kernel', whole.subarray(0, length), LIMITS).then(
        () => undefined,
        (reason: Error) => reason,
      )
      if (error?.name === 'ImageError' && !error.message.includes('\n')) continue
      t.fail(`cut to ${length} of ${whole.length} bytes: ${error}`)
    }
  }
  t.pass('every cut')
})

t.test('files are named when they cannot be read', async (t) => {
  const directory = t.testdir({ empty: '' })
  await t.rejects(readImageFile(`${directory}/none`, 'kernel'), { message: /none: no such file; .*--kernel$/ })
  await t.rejects(readImageFile(`${directory}/empty`, 'initrd'), { message: /empty: the file is empty; / })
  await t.rejects(readImageFile(directory, 'initrd'), { message: /is a directory; / })
})

t.test('an initrd is checked whole', async (t) => {
  const archive = cpioArchive({ init: '#!/bin/sh\n', 'etc/passwd': 'root' })
  await checkInitrd('initrd', archive, 1 << 20)
  await checkInitrd('initrd', gzipSync(archive), 1 << 20)
  await checkInitrd('initrd', zstdCompressSync(archive), 1 << 20)
  await checkInitrd('initrd', Buffer.concat([gzipSync(archive), gzipSync(archive)]), 1 << 20)
  for (const whole of [archive, gzipSync(archive)]) {
    // The trailer's own padding is not missed.
    for (let length = 1; length < whole.length - 4; length++) {
      const error = await checkInitrd('initrd', whole.subarray(0, length), 1 << 20).then(
        () => undefined,
        (reason: Error) => reason,
      )
      if (error?.name !== 'ImageError') t.fail(`cut to ${length} of ${whole.length} bytes: ${error}`)
    }
  }
  const flipped = gzipSync(archive)
  flipped[flipped.length - 6]! ^= 1
  await t.rejects(checkInitrd('initrd', flipped, 1 << 20), { message: /cut short or damaged \(gzip\)/ })
  await t.rejects(checkInitrd('initrd', Buffer.from('hello, world'), 1 << 20), { message: /not an initrd/ })
  await t.rejects(checkInitrd('initrd', archive, 100), { message: /do not fit the 100 bytes.*raise --memory/ })
})
