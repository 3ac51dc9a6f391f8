import { readFileSync } from 'node:fs'
import t from 'tap'
import { guestResidentBytes, parseMappings, parseUsage, readUsage } from './usage.ts'

t.test('time and memory of a process, whatever its name', async (t) => {
  const stat = '42 (a (b) c d) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 123 0 0'
  t.same(parseUsage(stat, 'Name:\ta\nVmPeak:\t  9000 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 1000 kB\n'), {
    cpuSeconds: 3,
    peakBytes: 2 << 20,
  })
  t.equal(parseUsage(stat, 'Name:\ta\nState:\tZ (zombie)\n'), undefined)
})

t.test('this process, and none', async (t) => {
  const usage = readUsage(process.pid)
  t.ok(usage !== undefined && usage.peakBytes > 1 << 20 && usage.cpuSeconds > 0)
  t.equal(readUsage(2 ** 22 + 1), undefined)
})

const mapping = (kB: number, residentKB: number) =>
  `1000-2000 rw-p 00000000 00:00 0 \nSize:           ${kB} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n` +
  `Rss:            ${residentKB} kB\nPss:            ${residentKB} kB\nVmFlags: rd wr mr mw me ac sd \n`

t.test("the guest's memory among the mappings", async (t) => {
  const smaps = mapping(100, 100) + mapping(8_000_000, 0) + mapping(600_000, 200_000) + mapping(2_000_000, 300_000)
  const mappings = parseMappings(smaps, 16 << 20)
  t.equal(mappings.length, 3)
  t.equal(guestResidentBytes(mappings, 512 << 20), 200_000 * 1024)
  t.equal(guestResidentBytes(mappings, 64 << 20), 64 << 20, 'no more than the guest has')
  t.equal(guestResidentBytes([], 64 << 20), 0)
})

t.test('the mappings of a real process', async (t) => {
  const bytes = new Uint8Array(64 << 20).fill(1)
  const mappings = parseMappings(readFileSync('/proc/self/smaps', 'latin1'), bytes.length)
  t.ok(mappings.some(({ residentBytes }) => residentBytes >= bytes.length))
})
