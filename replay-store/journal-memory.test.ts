import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'
import t from 'tap'
import { KINDS } from './codec.ts'
import { MAX_FIELDS, MAX_KINDS } from './entry-record.ts'

t.test('journal.wasm is what its sources are compiled to', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'ananke-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'journal.wasm')
  const baseDir = fileURLToPath(new URL('..', import.meta.url))
  const config = 'replay-store/assembly/asconfig.json'
  const { error, stderr } = await asc.main(['--baseDir', baseDir, '--config', config, '--outFile', file])
  t.equal(error, null, stderr.toString())
  const kept = readFileSync(new URL('assembly/journal.wasm', import.meta.url))
  t.ok(kept.equals(readFileSync(file)), 'npm run assembly makes it anew')
})

t.test('every kind fits', async (t) => {
  t.ok(KINDS.length <= MAX_KINDS)
  for (const { kind, fields } of KINDS) t.ok(fields.length <= MAX_FIELDS, kind)
})
