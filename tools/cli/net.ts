/** `--net`: a network card, and what it is connected to. */
import * as fs from 'node:fs'
import type { NetworkChoice } from '../../device-nodes/mod.ts'
import { UsageError, UserError } from '../errors.ts'

export interface Net extends NetworkChoice {
  /** What the board is told of the card. */
  option: { model: Model; address: number[] }
}

const MODELS = ['pcnet', 'rtl8139'] as const
type Model = (typeof MODELS)[number]

/** The node that is the card. */
export const CARD = 'nic0'

const FORM = 'hermetic[,root=DIRECTORY][,model=pcnet|rtl8139][,mac=52:54:00:12:34:56]'
const DEFAULT_ADDRESS = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56]

/** @throws UsageError, UserError */
export function parseNet(words: string): Net {
  const [backend, ...settings] = words.split(',')
  if (backend !== 'hermetic') {
    throw new UsageError(`'${backend}' is no network; write it as ${FORM}`)
  }
  let address = DEFAULT_ADDRESS
  let model: Model = 'pcnet'
  let root: string | undefined
  for (const setting of settings) {
    const mac = /^mac=((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$/i.exec(setting)?.[1]
    if (mac !== undefined) address = mac.split(':').map((byte) => Number.parseInt(byte, 16))
    else if (setting.startsWith('root=')) root = setting.slice('root='.length)
    else if (MODELS.some((known) => setting === `model=${known}`)) model = setting.slice('model='.length) as Model
    else {
      throw new UsageError(`'${setting}' says nothing of a network card; write it as ${FORM} (--net ${words})`)
    }
  }
  if (address[0]! & 1)
    throw new UsageError(`mac of --net ${words}: a card has no address of a group; make its first byte even`)
  if (root !== undefined) checkRoot(root)
  return { backend, option: { model, address }, ...(root !== undefined && { root }) }
}

/** What the guest could not be given would only show in the guest. */
function checkRoot(root: string): void {
  const wanted = 'root= of --net names the directory whose files the guest can fetch'
  if (root === '') throw new UsageError(`root= has no name; ${wanted}`)
  try {
    if (!fs.statSync(root).isDirectory()) throw new UserError(`${root} is not a directory; ${wanted}`)
    fs.accessSync(root, fs.constants.R_OK | fs.constants.X_OK)
  } catch (cause) {
    if (cause instanceof UserError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    const fault = code === 'ENOENT' ? 'no such directory' : `cannot be read (${code})`
    throw new UserError(`${root}: ${fault}; ${wanted}`, { cause })
  }
}
