import t from 'tap'
import { bytesText, durationText, parseCount, parseMemory, parseTimeOfDay, quoted, vtText } from './format.ts'
import { Progress } from './progress.ts'

t.test('figures', async (t) => {
  t.equal(bytesText(1023), '1023 B')
  t.equal(bytesText(27_038_261), '25.8 MiB')
  t.equal(durationText(59.4), '59 s')
  t.equal(durationText(125), '2 min 5 s')
  t.equal(durationText(3780), '1 h 3 min')
  t.equal(vtText(1_000_000_008), '1.000000008')
  t.equal(quoted(Buffer.from('a\r\n\x1b')), '"a\\r\\n\\u001b"')
})

t.test("QEMU's words for sizes and times", async (t) => {
  t.equal(parseMemory('512'), 512 << 20)
  t.equal(parseMemory('1g'), 1 << 30)
  t.equal(parseMemory('64K'), 65536)
  for (const wrong of ['', 'M', '-1', '1.5G', '12T', '0x10']) t.equal(parseMemory(wrong), undefined, wrong)
  t.equal(parseCount('1,000_000'), 1_000_000)
  for (const wrong of ['', '-1', '1e9', '99999999999999999']) t.equal(parseCount(wrong), undefined, wrong)
  t.equal(parseTimeOfDay('2024-01-31T12:00:00'), 1_706_702_400)
  t.equal(parseTimeOfDay('2024-01-31'), 1_706_659_200)
  t.equal(parseTimeOfDay('7'), 7)
  for (const wrong of ['now', '2024-13-01', '2024-1-1', '2024-02-31']) t.equal(parseTimeOfDay(wrong), undefined, wrong)
})

t.test('progress has a rate and a time left, on terminals only', async (t) => {
  const written: string[] = []
  let now = 0
  const stream = { isTTY: true, columns: 100, write: (text: string) => written.push(text) }
  const progress = new Progress(stream, () => now)
  progress.update('replaying', 0)
  now = 100
  progress.update('replaying', 0.1)
  t.equal(written.length, 1, 'not rewritten too often')
  now = 2000
  progress.update('replaying', 0.5, () => '20 MIPS')
  t.equal(written[1], '\r\x1b[Kreplaying, 50 %, 20 MIPS, 2 s left')
  progress.clear()
  t.equal(written[2], '\r\x1b[K')
  progress.clear()
  t.equal(written.length, 3, 'nothing to take away')
  new Progress({ write: () => t.fail('not a terminal') }).update('replaying', 0)
})
