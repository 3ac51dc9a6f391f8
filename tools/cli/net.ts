/** `--net`: a network card, and what it is connected to. */
import { UsageError } from '../errors.ts'

export interface Net {
  backend: 'hermetic'
  /** What the board is told of the card. */
  option: { model: Model; address: number[] }
}

const MODELS = ['pcnet', 'rtl8139'] as const
type Model = (typeof MODELS)[number]

/** The node that is the card. */
export const CARD = 'nic0'

const FORM = 'hermetic[,model=pcnet|rtl8139][,mac=52:54:00:12:34:56]'
const DEFAULT_ADDRESS = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56]

/** @throws UsageError */
export function parseNet(words: string): Net {
  const [backend, ...settings] = words.split(',')
  if (backend !== 'hermetic') {
    throw new UsageError(`'${backend}' is no network; write it as ${FORM}`)
  }
  let address = DEFAULT_ADDRESS
  let model: Model = 'pcnet'
  for (const setting of settings) {
    const mac = /^mac=((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$/i.exec(setting)?.[1]
    if (mac !== undefined) address = mac.split(':').map((byte) => Number.parseInt(byte, 16))
    else if (MODELS.some((known) => setting === `model=${known}`)) model = setting.slice('model='.length) as Model
    else {
      throw new UsageError(`'${setting}' says nothing of a network card; write it as ${FORM} (--net ${words})`)
    }
  }
  if (address[0]! & 1)
    throw new UsageError(`mac of --net ${words}: a card has no address of a group; make its first byte even`)
  return { backend, option: { model, address } }
}
