import { gzipSync } from 'node:zlib'
import t from 'tap'
import { checkInitrd } from '../../images/initrd.ts'
import { type ArchivedFile, cpioArchive } from './cpio.ts'

const FILES: readonly ArchivedFile[] = [
  { name: 'dev', kind: 'directory' },
  { name: 'dev/console', kind: 'character', major: 5, minor: 1 },
  { name: 'init', kind: 'file', bytes: Buffer.from('#!/bin/sh\n'), isProgram: true },
  { name: 'odd', kind: 'file', bytes: Buffer.from('12345') },
]

/** Each entry's name, its thirteen fields, and its bytes. */
function* entries(archive: Buffer): Generator<{ name: string; fields: number[]; bytes: Buffer }> {
  for (let at = 0; at < archive.length; ) {
    t.equal(archive.toString('latin1', at, at + 6), '070701')
    const fields = Array.from({ length: 13 }, (_, i) =>
      Number.parseInt(archive.toString('latin1', at + 6 + i * 8, at + 14 + i * 8), 16),
    )
    const nameEnd = at + 110 + fields[11]!
    const start = Math.ceil(nameEnd / 4) * 4
    const end = start + fields[6]!
    yield { name: archive.toString('latin1', at + 110, nameEnd - 1), fields, bytes: archive.subarray(start, end) }
    at = Math.ceil(end / 4) * 4
  }
}

t.test('what a kernel unpacks', async (t) => {
  const archive = cpioArchive(FILES)
  const [dev, console, init, odd, trailer, ...more] = [...entries(archive)]
  t.same(more, [])
  t.match(dev, { name: 'dev', fields: { 1: 0o040755 } })
  t.match(console, { name: 'dev/console', fields: { 1: 0o020600, 9: 5, 10: 1 } })
  t.match(init, { name: 'init', fields: { 1: 0o100755, 2: 0, 3: 0 }, bytes: Buffer.from('#!/bin/sh\n') })
  t.match(odd, { name: 'odd', fields: { 1: 0o100644 }, bytes: Buffer.from('12345') })
  t.equal(trailer?.name, 'TRAILER!!!')
  t.equal(new Set([dev, console, init, odd].map((entry) => entry?.fields[0])).size, 4, 'files are told apart')
  await checkInitrd('an initrd', gzipSync(archive), 1 << 20)
})
