import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from './command.ts'
import { makeExt4 } from './ext4.ts'

const MIB = 1 << 20
const skip = await run('debugfs', ['-V']).then(
  () => false,
  () => 'e2fsprogs is not installed',
)

/** Files in directories, made in the order of `names`. */
function makeTree(root: string, names: readonly string[]): void {
  for (const name of names) {
    const path = join(root, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, `this is ${name}`, { mode: 0o640 })
    utimesSync(path, Math.random() * 2e9, Math.random() * 2e9)
  }
  symlinkSync('not "there" \\x2d', join(root, 'link'))
  mkdirSync(join(root, 'tmp'))
  chmodSync(join(root, 'tmp'), 0o1777)
}

t.test('a directory of the same files makes the same file system', { skip }, async (t) => {
  const directory = t.testdir({ a: {}, b: {} })
  const at = (name: string) => join(directory, name)
  const names = ['z', 'a b', 'dir/"quoted"', 'dir/back\\x2dslash', 'dir/ä', 'dir/inner/file', '-v', '#']
  makeTree(at('a'), names)
  makeTree(at('b'), names.toReversed())
  writeFileSync(at('a/large'), Buffer.alloc(2 * MIB, 'large'))
  writeFileSync(at('b/large'), Buffer.alloc(2 * MIB, 'large'))
  await makeExt4(at('a.img'), 16 * MIB, at('a'), 'name')
  await makeExt4(at('b.img'), 16 * MIB, at('b'), 'name')
  t.ok(readFileSync(at('a.img')).equals(readFileSync(at('b.img'))))

  t.equal((await run('e2fsck', ['-f', '-n', at('a.img')])).status, 0)
  mkdirSync(at('out'))
  const dumped = await run('debugfs', ['-R', `rdump / ${at('out')}`, at('a.img')])
  t.equal(dumped.status, 0)
  for (const name of names) t.equal(readFileSync(join(at('out'), name), 'utf8'), `this is ${name}`, name)
  t.ok(readFileSync(at('out/large')).equals(readFileSync(at('a/large'))))
  const { stdout: listed } = await run('debugfs', ['-R', 'ls -l', at('a.img')])
  t.match(listed, / 41777 \(2\) +0 +0 .* tmp$/m)
  t.match(listed, / 100640 \(1\) +0 +0 .* z$/m)
  t.match(listed, / 120777 \(7\) +0 +0 .* link$/m)
})

t.test('what finds no room, or cannot be copied, is named', { skip }, async (t) => {
  const directory = t.testdir({ full: { large: '' }, odd: { 'new\nline': '' }, pipe: {}, there: '' })
  const at = (name: string) => join(directory, name)
  writeFileSync(at('full/large'), Buffer.alloc(2 * MIB, 'large'))
  await t.rejects(makeExt4(at('full.img'), MIB, at('full')), { message: /debugfs: write: Could not allocate block/ })
  await t.rejects(makeExt4(at('odd.img'), MIB, at('odd')), { message: /"new\\nline"/ })
  spawnSync('mkfifo', [at('pipe/fifo')])
  await t.rejects(makeExt4(at('pipe.img'), MIB, at('pipe')), { message: /pipe\/fifo: neither a file, a directory nor/ })
  await t.rejects(makeExt4(at('small.img'), 10, at('pipe')), { message: /^mke2fs: / })
  await t.rejects(makeExt4(at('there'), MIB, at('pipe')), { code: 'EEXIST' })
})
