import t from 'tap'
import { boards } from '../../device-nodes/mod.ts'
import { machineNames } from './machine-names.ts'

t.test('the names that are known without loading boards are those of the boards', async (t) => {
  t.strictSame(machineNames, Object.keys(boards))
})
