import t from 'tap'
import { UsageError } from '../errors.ts'
import { CASES, DEFAULT_CASES, PEERS, parseCases, parsePeers, planRounds, planSteps, stepTitle } from './cases.ts'

const plan = (cases: string, peers: string) => planSteps(parseCases(cases), parsePeers(peers)).map(stepTitle)

t.test('names of cases and groups', async (t) => {
  t.same(parseCases('find,boot'), ['boot', 'find'], 'in one order, however they are given')
  t.same(parseCases('loops,calls,integer'), ['integer', 'copy', 'branches', 'float', 'calls'])
  t.same(parseCases('boots,console,loops,accesses'), DEFAULT_CASES)
  t.same(parseCases('disks,boots,console,loops,accesses'), CASES)
  t.throws(() => parseCases('boot,speed'), UsageError)
  t.throws(() => parseCases(''), UsageError)
})

t.test('names of peers', async (t) => {
  t.same(parsePeers(PEERS.join(',')), PEERS)
  t.same(parsePeers('qemu-record,qemu'), ['qemu', 'qemu-record'])
  t.same(parsePeers('none'), [])
  t.throws(() => parsePeers('bochs'), UsageError)
})

t.test('the sides take turns', async (t) => {
  t.same(plan('boots', PEERS.join(',')), [
    'boot on qemu',
    'boot on ananke',
    'record on ananke',
    'record on qemu-record',
    'cpu-replay on ananke',
    'cpu-replay on qemu-replay',
    'full-replay on ananke',
    'boot on qemu-icount',
  ])
  t.same(plan('integer,sha256,copy', 'qemu'), [
    'installer console on ananke',
    'installer console on qemu',
    'integer on ananke',
    'integer on qemu',
    'copy on ananke',
    'copy on qemu',
  ])
})

t.test('a replay brings the recording that it is of', async (t) => {
  t.same(plan('cpu-replay', 'qemu-replay'), [
    'record on ananke',
    'record on qemu-record',
    'cpu-replay on ananke',
    'cpu-replay on qemu-replay',
  ])
  t.same(plan('full-replay', PEERS.join(',')), ['record on ananke', 'full-replay on ananke'])
})

t.test('a system on a disk', async (t) => {
  t.same(plan('disk-record,tcp,disk-read', 'qemu,qemu-record'), [
    'disk-boot on qemu',
    'disk-record on ananke',
    'disk-record on qemu-record',
    'disk console on ananke',
    'disk console on qemu',
  ])
  t.same(plan('tcp-user,tcp', 'none'), ['disk console on ananke', 'disk console, user network on ananke'])
})

t.test('accesses bring the loop without one', async (t) => {
  const both = ['no-access on ananke', 'no-access on qemu']
  t.same(plan('polled-access', 'qemu'), ['polled-access on ananke', 'polled-access on qemu', ...both])
  t.same(plan('no-access', 'qemu'), both)
})

t.test('a recorded boot is compared with a plain one', async (t) => {
  t.same(plan('record', 'qemu,qemu-record'), ['boot on qemu', 'record on ananke', 'record on qemu-record'])
})

t.test('plain and recorded boots are compared more often than once a repetition', async (t) => {
  const rounds = (cases: string) => planRounds(parseCases(cases), ['qemu']).map((steps) => steps.map(stepTitle))
  t.same(rounds('boot,record,copy'), [
    ['boot on qemu', 'boot on ananke', 'record on ananke', 'copy on ananke', 'copy on qemu'],
    ['record on ananke', 'boot on ananke'],
    ['boot on ananke', 'record on ananke'],
  ])
  t.same(rounds('boot'), [['boot on qemu', 'boot on ananke']])
})
