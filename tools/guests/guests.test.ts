import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isCached, loadGuest, rebuildGuest } from './cache.ts'
import { type Guest, guestNamed } from './guests.ts'

const GUEST: Guest = {
  name: 'tiny',
  title: 'a guest of this test',
  machine: 'malta',
  memoryBytes: 1 << 24,
  append: '',
  packageName: 'tiny-netboot',
  suite: 'bookworm',
  kernel: { folder: 'boot', prefix: 'vmlinuz-' },
  initrd: { folder: 'boot', prefix: 'initrd.gz' },
}

/** An apt-get and a dpkg-deb that need no network: the package is a shell script that makes its files. */
const APT_GET = `#!/bin/sh
case "$*" in
*download*) echo "$$" >> "$FAKE_LOG"; echo 'dlstatus:1:50.0:half' >&3; echo package > tiny-netboot_1.2_all.deb ;;
esac
`
const DPKG_DEB = `#!/bin/sh
mkdir -p "$3/boot"; echo a kernel > "$3/boot/vmlinuz-6.1"; echo an initrd > "$3/boot/initrd.gz"
`

/** Puts programs before all others, or (with \`only\`) in their place; undone when the test ends. */
function fakePrograms(t: Test, programs: Record<string, string>, only = false): { log: string; cache: string } {
  const directory = t.testdir()
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), script)
    chmodSync(join(bin, name), 0o755)
  }
  const before = process.env['PATH'] ?? ''
  process.env['PATH'] = only ? bin : `${bin}:${before}`
  process.env['FAKE_LOG'] = join(directory, 'log')
  writeFileSync(join(directory, 'log'), '')
  t.teardown(() => {
    process.env['PATH'] = before
  })
  return { log: join(directory, 'log'), cache: join(directory, 'cache') }
}

const fetches = (log: string) => readFileSync(log, 'utf8').split('\n').length - 1

t.test('a guest is fetched once, and then comes from the cache', async (t) => {
  const { log, cache } = fakePrograms(t, { 'apt-get': APT_GET, 'dpkg-deb': DPKG_DEB })
  const stages: string[] = []
  t.equal(await isCached(GUEST, cache), false)
  const first = await loadGuest(GUEST, (stage, fraction) => stages.push(`${stage} ${fraction}`), cache)
  t.equal(Buffer.from(first.kernel).toString(), 'a kernel\n')
  t.equal(Buffer.from(first.initrd).toString(), 'an initrd\n')
  t.equal(first.packageFile, 'tiny-netboot_1.2_all.deb')
  t.ok(stages.includes('fetching tiny-netboot 0.5'), 'progress is told')
  t.equal(await isCached(GUEST, cache), true)
  t.same(await loadGuest(GUEST, () => t.fail('nothing to tell'), cache), first)
  t.equal(fetches(log), 1)
  t.same(readdirSync(cache), ['tiny'], 'nothing else is left behind')
})

t.test('a damaged image is fetched again', async (t) => {
  const { log, cache } = fakePrograms(t, { 'apt-get': APT_GET, 'dpkg-deb': DPKG_DEB })
  const whole = await loadGuest(GUEST, () => {}, cache)
  for (const file of ['kernel', 'initrd', 'manifest.json']) {
    writeFileSync(join(cache, 'tiny', file), 'A kernel\n')
    t.same(await loadGuest(GUEST, () => {}, cache), whole, file)
  }
  t.equal(fetches(log), 4)
  t.same(readdirSync(cache), ['tiny'])
})

t.test('processes that fetch at once all get it', async (t) => {
  const { log, cache } = fakePrograms(t, { 'apt-get': APT_GET, 'dpkg-deb': DPKG_DEB })
  const all = await Promise.all([1, 2, 3].map(() => loadGuest(GUEST, () => {}, cache)))
  for (const one of all) t.same(one, all[0])
  t.equal(fetches(log), 1)
  t.same(readdirSync(cache), ['tiny'])
})

t.test('a guest that is made again while others want it', async (t) => {
  const { log, cache } = fakePrograms(t, { 'apt-get': APT_GET, 'dpkg-deb': DPKG_DEB })
  const first = await loadGuest(GUEST, () => {}, cache)
  const stages: string[] = []
  const rebuilt = [1, 2].map(() => rebuildGuest(GUEST, (stage) => stages.push(stage), cache))
  await Promise.all([...rebuilt, loadGuest(GUEST, () => {}, cache)])
  t.ok(stages.includes('waiting for another process that makes tiny'))
  t.same(await loadGuest(GUEST, () => t.fail('nothing to tell'), cache), first)
  t.equal(fetches(log), 3)
  t.same(readdirSync(cache), ['tiny'])
})

t.test('what a killed process left is no guest', async (t) => {
  const { cache } = fakePrograms(t, { 'apt-get': APT_GET, 'dpkg-deb': DPKG_DEB })
  mkdirSync(join(cache, '.partial-tiny-1', 'ready'), { recursive: true })
  writeFileSync(join(cache, '.partial-tiny-1', 'ready', 'kernel'), 'half a ker')
  t.equal(await isCached(GUEST, cache), false)
  t.equal(Buffer.from((await loadGuest(GUEST, () => {}, cache)).kernel).toString(), 'a kernel\n')
})

t.test('a host without apt is told what to do', async (t) => {
  const { cache } = fakePrograms(t, {}, true)
  await t.rejects(
    loadGuest(GUEST, () => {}, cache),
    {
      name: 'GuestError',
      message: /^no apt-get on this host to make tiny with; .*--kernel and --initrd/,
    },
  )
  t.same(readdirSync(cache), [])
})

t.test('a failed fetch says why, in one line', async (t) => {
  const failing = '#!/bin/sh\necho "W: beware" >&2; echo "E: Unable to locate package tiny-netboot" >&2; exit 100\n'
  const { cache } = fakePrograms(t, { 'apt-get': failing })
  await t.rejects(
    loadGuest(GUEST, () => {}, cache),
    {
      name: 'GuestError',
      message: /^cannot fetch tiny-netboot \(Debian bookworm\): Unable to locate package tiny-netboot; check .*$/,
    },
  )
})

t.test('a package without the images is named', async (t) => {
  const { cache } = fakePrograms(t, { 'apt-get': APT_GET, 'dpkg-deb': '#!/bin/sh\nmkdir -p "$3"\n' })
  await t.rejects(
    loadGuest(GUEST, () => {}, cache),
    { name: 'GuestError', message: /no vmlinuz-\* in boot/ },
  )
})

t.test('guests by name', async (t) => {
  t.equal(guestNamed('debian-mipsel').machine, 'malta')
  t.throws(() => guestNamed('debian-vax'), { name: 'UsageError', exitStatus: 2, message: /debian-mipsel/ })
})
