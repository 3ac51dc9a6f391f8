import t from 'tap'
import * as v from 'valibot'
import { UsageError } from '../errors.ts'
import { describeFailure, STATUS_FAILED, STATUS_USAGE } from './failure.ts'

function thrownBy(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

t.test('a mistake of the person is told as it is', async (t) => {
  t.same(describeFailure(new UsageError('nothing to boot')), { status: STATUS_USAGE, line: 'nothing to boot' })
})

t.test('a value that a schema refuses is a defect, named by its path', async (t) => {
  const schema = v.object({ nodes: v.array(v.object({ bytes: v.number() })) })
  const error = thrownBy(() => v.parse(schema, { nodes: [{ bytes: 1 }, { bytes: 'x' }] }))
  const { status, line } = describeFailure(error)
  t.equal(status, STATUS_FAILED)
  t.match(line, /^internal error: nodes\.1\.bytes: Invalid type: Expected number but received "x" \(set ANANKE_DEBUG=1/)
  t.match(describeFailure(thrownBy(() => v.parse(schema, 5))).line, /^internal error: Invalid type: Expected Object/)
})
