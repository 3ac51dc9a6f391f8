/** Files that are kept from run to run: whole, and not too many. */
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { keepLatest, replaceFile } from './kept-files.ts'

/** Each written a second after the one before it. */
function directoryOf(t: Test, sizes: Record<string, number>): string {
  const directory = t.testdir()
  for (const [second, [name, size]] of Object.entries(sizes).entries()) {
    const path = join(directory, name)
    writeFileSync(path, Buffer.alloc(size))
    utimesSync(path, second, second)
  }
  return directory
}

t.test('so many files stay beside the one at hand, those written last', async (t) => {
  const directory = directoryOf(t, { 'own.a': 1, '1.a': 1, '2.a': 1, 'other.b': 1, '3.a': 1, '4.a': 1 })
  keepLatest(join(directory, 'own.a'), /\.a$/, { files: 2 })
  t.same(readdirSync(directory).sort(), ['3.a', '4.a', 'other.b', 'own.a'])
  keepLatest(join(directory, 'own.a'), /\.a$/, { files: 0 })
  t.same(readdirSync(directory).sort(), ['other.b', 'own.a'])
})

t.test('and of them so many bytes', async (t) => {
  const directory = directoryOf(t, { 'own.a': 1000, '1.a': 1, '2.a': 60, '3.a': 10, '4.a': 50 })
  keepLatest(join(directory, 'own.a'), /\.a$/, { files: 4, bytes: 100 })
  t.same(readdirSync(directory).sort(), ['3.a', '4.a', 'own.a'], 'of those before one that is too large none stays')
  keepLatest(join(directory, 'own.a'), /\.a$/, { files: 4, bytes: 60 })
  t.same(readdirSync(directory).sort(), ['3.a', '4.a', 'own.a'])
})

t.test('a file is replaced as a whole, or stays', async (t) => {
  const directory = t.testdir({ file: 'before' })
  const path = join(directory, 'file')
  replaceFile(path, [Buffer.from('af'), Buffer.from('ter')])
  t.equal(readFileSync(path, 'utf8'), 'after')
  const occupied = join(directory, 'occupied')
  mkdirSync(join(occupied, 'by'), { recursive: true })
  t.throws(() => replaceFile(occupied, [Buffer.from('text')]))
  t.same(readdirSync(directory).sort(), ['file', 'occupied'], 'nothing temporary is left')
})
