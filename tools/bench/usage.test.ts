import t from 'tap'
import { parseUsage, readUsage } from './usage.ts'

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
