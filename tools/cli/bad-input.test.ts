/**
 * Bad input: each gives one clear line, the right exit status, and loses nothing.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { sha256 } from '../../replay-store/mod.ts'
import { bareMetal, cpioArchive, elfFile } from '../images/sample.ts'
import { type AnankeOptions, ananke, type Outcome, said } from './testing.ts'

/** Runs a command line that must fail, and checks that it fails as a person would like. */
async function refused(
  t: Test,
  args: readonly string[],
  expected: { status: number; line: RegExp },
  options: AnankeOptions = {},
): Promise<Outcome> {
  const outcome = await ananke(args, options)
  const what = `ananke ${args.join(' ')}`
  t.equal(outcome.status, expected.status, what)
  t.equal(said(outcome).length, 1, `one line: ${outcome.stderr}`)
  t.match(said(outcome)[0], expected.line)
  t.notMatch(outcome.stderr, /^\s+at /m, 'no stack trace')
  return outcome
}

/** A directory with the given files; gives a function from a name to its path. */
function files(t: Test, contents: Readonly<Record<string, string | Uint8Array>>): (name: string) => string {
  const directory = t.testdir()
  for (const [name, bytes] of Object.entries(contents)) writeFileSync(join(directory, name), bytes)
  return (name) => join(directory, name)
}

t.test('words that make no sense are wrong usage', async (t) => {
  const at = files(t, { hello: bareMetal('hello') })
  const kernel = ['--kernel', at('hello')]
  const cases: readonly [string[], RegExp][] = [
    [['bot'], /unknown command 'bot'/],
    [['boot'], /^nothing to boot: name a guest, such as debian-mipsel, or a kernel with --kernel$/],
    [['boot', 'debian-vax'], /^no guest is named 'debian-vax'; there is debian-mipsel/],
    [['boot', 'debian-mipsel', '--colour'], /unknown option '--colour'/],
    [['boot', ...kernel, '--machine', 'pdp11'], /^no machine is called 'pdp11'; there is malta/],
    [['boot', ...kernel, '--memory', 'lots'], /^'lots' is no memory size; write it as 256M or 1G$/],
    [['boot', ...kernel, '--memory', '3G'], /at most 2048 MiB/],
    [['boot', ...kernel, '--rtc', 'noon'], /^'noon' is no time; /],
    [['boot', ...kernel, '--machine', 'dma-test', '--append', 'x'], /hands no command line/],
    [['boot', ...kernel, '--net', 'wifi'], /^'wifi' is no network; write it as hermetic/],
    [
      ['boot', ...kernel, '--net', 'hermetic,mac=1:2'],
      /^'mac=1:2' is no address of a card; write it as mac=52:54:00:12:34:56/,
    ],
    [
      ['boot', ...kernel, '--net', 'hermetic,model=ne2000'],
      /^'model=ne2000' is no card that there is; write model=pcnet\|rtl8139/,
    ],
    [['boot', ...kernel, '--net', 'hermetic,mac=01:00:5e:00:00:01'], /a card has no address of a group/],
    [['boot', ...kernel, '--net', 'hermetic,root='], /^root= has no name; root= of --net names the directory/],
    [
      ['boot', ...kernel, '--net', 'hermetic', '--machine', 'dma-test'],
      /^machine dma-test has no place for a network card/,
    ],
    [['record', ...kernel], /'-o, --output <recording>' not specified/],
    [['replay', at('a.ank'), '--mode', 'gpu'], /^'gpu' is no mode; there is cpu, full, and device:NAME$/],
    [['replay', at('a.ank'), '--until', 'soon'], /^'soon' is no instruction count for --until/],
    [['replay', at('a.ank'), '--parts', '0'], /^'0' is no count of parts for --parts$/],
  ]
  for (const [args, line] of cases) await refused(t, args, { status: 2, line })
})

t.test('files that are not there, or not what they should be', async (t) => {
  const whole = elfFile({ content: new Uint8Array(5000) })
  const initrd = gzipSync(cpioArchive({ init: 'x'.repeat(1000) }))
  const at = files(t, {
    empty: '',
    'x86-64': elfFile({ bits: 64, machine: 62 }),
    'cut-kernel': whole.subarray(0, 3000),
    'cut-kernel.gz': gzipSync(whole).subarray(0, 40),
    text: 'hello',
    kernel: whole,
    initrd,
    'cut-initrd': initrd.subarray(0, initrd.length - 10),
    huge: elfFile({ bssBytes: 300 << 20 }),
  })
  const kernels: readonly [string, RegExp][] = [
    ['none', /none: no such file; name the kernel's file with --kernel$/],
    ['empty', /empty: the file is empty; /],
    ['x86-64', /x86-64: a kernel for x86-64; this machine needs one for 32-bit MIPS$/],
    ['cut-kernel', /cut-kernel: cut short: \d+ bytes of segment 0 are missing; fetch or copy it again$/],
    ['cut-kernel.gz', /cut short or damaged \(gzip\); fetch or copy it again$/],
    ['text', /text: not a kernel; hand over an ELF file/],
    ['huge', /huge: needs memory up to 0x[0-9a-f]+, but it ends at 0x10000000; raise --memory$/],
  ]
  for (const [name, line] of kernels) {
    await refused(t, ['record', '--kernel', at(name), '-o', at('a.ank')], { status: 1, line })
  }
  for (const [name, line] of [
    ['none', /none: no such file; name the initrd's file with --initrd$/],
    ['empty', /empty: the file is empty; /],
    ['cut-initrd', /cut-initrd: cut short or damaged \(gzip\); fetch or copy it again$/],
    ['text', /text: not an initrd; /],
  ] as const) {
    await refused(t, ['boot', '--kernel', at('kernel'), '--initrd', at(name)], { status: 1, line })
  }
  t.equal(existsSync(at('a.ank')), false, 'nothing was begun')
})

t.test('recordings that are none', async (t) => {
  const at = files(t, { file: 'x', hello: bareMetal('hello') })
  mkdirSync(at('foreign'))
  writeFileSync(join(at('foreign'), 'manifest.json'), '{"name": "a web page"}\n')
  const recording = at('a.ank')
  t.equal((await ananke(['record', '--machine', 'dma-test', '--kernel', at('hello'), '-o', recording])).status, 0)

  for (const command of ['replay', 'info', 'log']) {
    await refused(t, [command, at('none')], {
      status: 1,
      line: /none does not exist. Give a directory that ananke record made/,
    })
  }
  await refused(t, ['replay', at('foreign')], { status: 1, line: /foreign is not a recording: / })
  await refused(t, ['replay', at('file')], { status: 1, line: /file/ })
  await refused(t, ['diff', recording, at('none')], { status: 1, line: /none/ })
  await refused(t, ['replay', recording, '--mode', 'device:uart7'], { status: 1, line: /no device uart7. It has: / })
  await refused(t, ['record', '--machine', 'dma-test', '--kernel', at('hello'), '-o', recording], {
    status: 1,
    line: /a\.ank exists\. Remove it, or record under another name\.$/,
  })
  t.equal((await ananke(['replay', recording, '--verify'])).status, 0, 'the one that exists is as it was')

  const manifest = join(recording, 'manifest.json')
  const text = readFileSync(manifest, 'utf8')
  const newer = text.slice(0, text.lastIndexOf(',\n  "checksum"')).replace(/"formatVersion": \d/, '"formatVersion": 99')
  writeFileSync(manifest, `${newer},\n  "checksum": "${sha256(Buffer.from(newer))}"\n}\n`)
  await refused(t, ['replay', recording], { status: 1, line: /format version 99; this Ananke reads up to 4\. / })
})

t.test('input scripts', async (t) => {
  const at = files(t, {
    hello: bareMetal('hello'),
    chatter: bareMetal('chatter'),
    wrong: 'expect hello\nsned x\n',
    never: 'limit 0.002\nexpect login:\nquit\n',
  })
  const boot = (...words: string[]) => ['boot', '--machine', 'dma-test', ...words]
  await refused(t, boot('--kernel', at('hello'), '--input', at('none')), { status: 1, line: /none: no such file; / })
  await refused(t, boot('--kernel', at('hello'), '--input', at('wrong')), {
    status: 1,
    line: /wrong:2: "sned" is no word of a script; a line is: expect TEXT/,
  })
  const record = [
    'record',
    '--machine',
    'dma-test',
    '--kernel',
    at('chatter'),
    '--input',
    at('never'),
    '-o',
    at('a.ank'),
  ]
  const line = /never:2: the console did not print "login:" within 0\.002 virtual seconds; its last lines were: .*xxx/
  await refused(t, record, { status: 1, line })
  t.equal((await ananke(['replay', at('a.ank'), '--mode', 'full', '--verify'])).status, 0, 'the recording is whole')
})

t.test('a disk that is full while recording', async (t) => {
  const at = files(t, { chatter: bareMetal('chatter') })
  const recording = at('a.ank')
  // Files of at most 16 KiB: the limit takes effect as a full disk does, in the middle of a write.
  const shellPrefix = "trap '' XFSZ; ulimit -f 16;"
  const args = ['record', '--machine', 'dma-test', '--kernel', at('chatter'), '-o', recording]
  await refused(t, args, { status: 1, line: /a\.ank.*(space|full|large|EFBIG)/i }, { shellPrefix })
  const replayed = await ananke(['replay', recording, '--mode', 'full', '--verify'])
  t.equal(replayed.status, 0, 'what was durable replays')
  t.match(said(replayed), [/was cut off; its [\d,]+ whole entries agree$/])
})

t.test('directories to serve that are none', async (t) => {
  const at = files(t, { hello: bareMetal('hello') })
  const wayOut = 'root= of --net names the directory whose files the guest can fetch'
  for (const [root, line] of [
    [at('none'), new RegExp(`/none: no such directory; ${wayOut}$`)],
    [at('hello'), new RegExp(`/hello is not a directory; ${wayOut}$`)],
    [`${at('hello')}/x`, new RegExp(`/x: cannot be read \\(ENOTDIR\\); ${wayOut}$`)],
  ] as const) {
    await refused(t, ['boot', '--kernel', at('hello'), '--net', `hermetic,root=${root}`], { status: 1, line })
  }
})

t.test('images of drives that are none', async (t) => {
  const at = files(t, { hello: bareMetal('hello'), empty: '', odd: 'x'.repeat(1000), disk: Buffer.alloc(1024) })
  const boot = (...drives: string[]) => [
    'boot',
    '--kernel',
    at('hello'),
    ...drives.flatMap((drive) => ['--drive', drive]),
  ]
  const cases: readonly [string[], number, RegExp][] = [
    [boot(at('none')), 1, /none: no such file; name a drive's image with --drive$/],
    [boot(at('disk/x')), 1, /x: cannot be read \(ENOTDIR\); name a drive's image with --drive$/],
    [boot(at('')), 1, /is a directory; a drive needs the image of a disk$/],
    [boot('/dev/null'), 1, /^\/dev\/null: is no file; copy the disk into one first$/],
    [boot(at('empty')), 1, /empty: the file is empty; make it as large as the disk/],
    [boot(at('odd')), 1, /odd: its size, 1000, is no multiple of 512/],
    [boot(`${at('disk')},media=cdrom`), 1, /disk: its size, 1024, is no multiple of 2048/],
    [boot(''), 2, /^'' names no file for --drive; write it as FILE\[,media=disk\|cdrom\]\[,readonly\]$/],
    [boot(`${at('disk')},format=qcow2`), 2, /^'format=qcow2' says nothing of a drive; write it as FILE/],
    [boot(...Array<string>(5).fill(at('disk'))), 2, /^there is no place for drive '.*disk': a machine has at most 4$/],
    [
      [...boot(at('disk')), '--machine', 'dma-test'],
      2,
      /^machine dma-test has no place for drives; leave --drive out$/,
    ],
  ]
  for (const [args, status, line] of cases) await refused(t, args, { status, line })
})

t.test('a disk that has no room for what is read of a drive', async (t) => {
  const disk = new URL('../../tests/bare-metal/disk-mipsel.elf', import.meta.url).pathname
  // Bytes that do not pack.
  const at = files(t, { disk: randomBytes(2 ** 21) })
  const shellPrefix = "trap '' XFSZ; ulimit -f 16;"
  const args = ['record', '--kernel', disk, '--drive', at('disk'), '-o', at('a.ank')]
  const line = /a\.ank\/drives\/ide\.disk0: cannot write: the file is larger than this process may write/
  await refused(t, args, { status: 1, line }, { shellPrefix })
  const replayed = await ananke(['replay', at('a.ank'), '--mode', 'full', '--verify'])
  t.equal(replayed.status, 0, 'what was durable replays')
})

t.test('a disk that has no room for the images', async (t) => {
  const at = files(t, { chatter: bareMetal('chatter'), initrd: cpioArchive({ init: 'x'.repeat(100_000) }) })
  const recording = at('a.ank')
  const shellPrefix = "trap '' XFSZ; ulimit -f 16;"
  const args = ['record', '--kernel', at('chatter'), '--initrd', at('initrd'), '-o', recording]
  const line = /images\/[0-9a-f]{64}: cannot write: the file is larger than this process may write/
  const outcome = await refused(t, args, { status: 1, line }, { shellPrefix })
  t.equal(outcome.stdout, '', 'the guest was not heard')
  await refused(t, ['replay', recording], { status: 1, line: /a\.ank is not a recording: it has no manifest\.json/ })
})

t.test('a host without apt', async (t) => {
  const at = files(t, {})
  mkdirSync(at('bin'))
  for (const program of ['sh', 'readlink', 'dirname']) {
    const found = (process.env['PATH'] ?? '').split(':').find((directory) => existsSync(join(directory, program)))
    symlinkSync(join(found!, program), join(at('bin'), program))
  }
  const env = { PATH: at('bin'), XDG_CACHE_HOME: at('cache') }
  const line = /^no apt-get on this host to make debian-mipsel with; boot images of your own with --kernel and/
  await refused(t, ['boot', 'debian-mipsel'], { status: 1, line }, { env })
  t.match((await ananke(['doctor'], { env })).stdout, /^apt +limited +no apt-get and no dpkg-deb; /m)
})
