/**
 * A directory of the host, and what of it is given out.
 */
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { HostDirectory, pathNames } from './served-files.ts'

function setUp(t: Test) {
  const directory = t.testdir({ outside: 'no', root: { file: 'contents', d: { inner: 'x' } }, rootless: { f: 'no' } })
  const root = join(directory, 'root')
  symlinkSync('file', join(root, 'inside'))
  symlinkSync('../outside', join(root, 'escape'))
  symlinkSync('../rootless', join(root, 'next'))
  symlinkSync('/etc', join(root, 'etc'))
  symlinkSync('loop', join(root, 'loop'))
  symlinkSync('gone', join(root, 'dangling'))
  return { directory, root, files: new HostDirectory(root) }
}

t.test('paths', async (t) => {
  t.same(pathNames('/a//b/./c/'), ['a', 'b', 'c'])
  t.same(pathNames('/'), [])
  t.same(pathNames('/...'), ['...'])
  for (const path of ['/..', '../a', '/a/../b', '/a/..', 'a\0b']) t.equal(pathNames(path), undefined, path)
})

t.test('files are read in pieces', async (t) => {
  const { root, files } = setUp(t)
  utimesSync(join(root, 'file'), 1000.7, 1000.7)
  for (const name of ['file', 'inside']) {
    const found = files.find([name])
    if (found.kind !== 'file') return t.fail(name)
    t.equal(found.file.bytes, 8)
    t.equal(found.file.modifiedSeconds, 1000)
    t.equal(found.file.read(0, 8)?.toString(), 'contents')
    t.equal(found.file.read(3, 2)?.toString(), 'te')
    found.file.close()
  }
})

t.test('a file that changes is not what it was', async (t) => {
  const { root, files } = setUp(t)
  for (const change of [
    () => appendFileSync(join(root, 'file'), 'x'),
    () => writeFileSync(join(root, 'file'), ''),
    () => utimesSync(join(root, 'file'), 5, 5),
  ]) {
    const found = files.find(['file'])
    if (found.kind !== 'file') return t.fail()
    t.type(found.file.read(0, Math.min(1, found.file.bytes)), Buffer)
    change()
    t.equal(found.file.read(0, Math.min(1, found.file.bytes)), undefined)
    found.file.close()
  }
})

t.test('nothing outside the directory', async (t) => {
  const { root, files } = setUp(t)
  for (const names of [['escape'], ['next', 'f'], ['etc'], ['etc', 'passwd'], ['loop']]) {
    t.equal(files.find(names).kind, 'forbidden', names.join('/'))
  }
  for (const names of [['nothing'], ['file', 'x'], ['dangling'], ['a'.repeat(300)], ['d', 'nothing']]) {
    t.equal(files.find(names).kind, 'missing', names.join('/').slice(0, 20))
  }
  if (spawnSync('mkfifo', [join(root, 'fifo')]).status === 0) t.equal(files.find(['fifo']).kind, 'forbidden')
})

t.test('directories, by names of any bytes', async (t) => {
  const { directory, root, files } = setUp(t)
  writeFileSync(Buffer.concat([Buffer.from(`${root}/d/`), Buffer.from([0xff])]), 'odd')
  mkdirSync(join(root, 'd', 'Ö'))
  const found = files.find(['d'])
  if (found.kind !== 'directory') return t.fail()
  t.same(found.list(), [
    { name: 'inner', isDirectory: false },
    { name: '\xc3\x96', isDirectory: true },
    { name: '\xff', isDirectory: false },
  ])
  const odd = files.find(['d', '\xff'])
  t.equal(odd.kind, 'file')
  if (odd.kind === 'file') odd.file.close()
  t.equal(files.find([]).kind, 'directory')
  mkdirSync(join(directory, 'Ä'))
  writeFileSync(join(directory, 'Ä', 'f'), '')
  const named = new HostDirectory(join(directory, 'Ä')).find(['f'])
  t.equal(named.kind, 'file')
  if (named.kind === 'file') named.file.close()
})
