/** `--net`: a network card, and what it is connected to. */
import * as fs from 'node:fs'
import type { Forward, NetworkChoice, SocketAddress } from '../../device-nodes/mod.ts'
import { UsageError, UserError } from '../errors.ts'

export interface Net {
  backend: NetworkChoice
  /** What the board is told of the card. */
  option: { model: Model; address: number[] }
}

/** The node that is the card. */
export const CARD = 'nic0'

const MODELS = ['pcnet', 'rtl8139'] as const
type Model = (typeof MODELS)[number]

const DEFAULT_ADDRESS = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56]
const LOOPBACK = '127.0.0.1'
const MOST_PORT = 65_535
const MOST_PATH_BYTES = 107

const FORMS: Readonly<Record<NetworkChoice['kind'], string>> = {
  hermetic: 'hermetic[,root=DIRECTORY]',
  user: 'user[,forward=tcp:[ADDRESS:]HOSTPORT:GUESTPORT]...',
  stream: 'stream:HOST:PORT or stream:PATH[,listen][,reconnect=SECONDS]',
}
const CARD_FORM = `[,model=${MODELS.join('|')}][,mac=52:54:00:12:34:56]`

/** For `--help`. */
export const NET_FORMS = `${Object.values(FORMS).join('; ')}; each with ${CARD_FORM}`

/** A setting's value by its name; those without one have an empty value. */
type Setting = { name: string; value: string | undefined; text: string }

/** @throws UsageError, UserError */
export function parseNet(words: string): Net {
  const [first = '', ...rest] = words.split(',')
  const settings = rest.map((text): Setting => {
    const [name = '', ...values] = text.split('=')
    return { name, value: values.length === 0 ? undefined : values.join('='), text }
  })
  const isOfCard = ({ name }: Setting) => name === 'model' || name === 'mac'
  const backend = parseBackend(
    first,
    settings.filter((setting) => !isOfCard(setting)),
    words,
  )
  const option: Net['option'] = { model: 'pcnet', address: DEFAULT_ADDRESS }
  for (const setting of settings.filter(isOfCard)) {
    if (setting.name === 'model') option.model = modelOf(setting, words)
    else option.address = addressOf(setting, words)
  }
  return { backend, option }
}

function parseBackend(first: string, settings: readonly Setting[], words: string): NetworkChoice {
  const [kind = '', ...behind] = first.split(':')
  if (kind === 'stream') return parseStream(behind.join(':'), settings, words)
  if (behind.length > 0 || (kind !== 'hermetic' && kind !== 'user')) {
    throw new UsageError(`'${first}' is no network; write it as ${NET_FORMS}`)
  }
  if (kind === 'user') return { kind, forwards: settings.map((setting) => parseForward(setting, words)) }
  return parseHermetic(settings, words)
}

function parseHermetic(settings: readonly Setting[], words: string): NetworkChoice {
  let root: string | undefined
  for (const setting of settings) {
    if (setting.name !== 'root') throw meansNothing(setting, 'hermetic', words)
    root = setting.value ?? ''
  }
  if (root === undefined) return { kind: 'hermetic' }
  checkRoot(root)
  return { kind: 'hermetic', root }
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

function parseStream(at: string, settings: readonly Setting[], words: string): NetworkChoice {
  let listen = false
  let reconnectSeconds: number | undefined
  for (const setting of settings) {
    const { name, value = '' } = setting
    if (name === 'listen' && setting.value === undefined) listen = true
    else if (name === 'reconnect' && /^[1-9]\d{0,4}$/.test(value)) reconnectSeconds = Number(value)
    else throw meansNothing(setting, 'stream', words)
  }
  if (listen && reconnectSeconds !== undefined) {
    throw new UsageError(`listen and reconnect do not go together: who listens does not connect (--net ${words})`)
  }
  return {
    kind: 'stream',
    at: parseAt(at, words),
    listen,
    ...(reconnectSeconds !== undefined && { reconnectSeconds }),
  }
}

/** `HOST:PORT`, `[::1]:PORT`, `:PORT` on this host's loopback, or a path. */
function parseAt(text: string, words: string): SocketAddress {
  const tcp = /^(?:\[([^\]/]*)\]|([^:/]*)):(\d+)$/.exec(text)
  if (tcp === null) {
    if (text === '') throw new UsageError(`'stream' says not where; write it as ${FORMS.stream} (--net ${words})`)
    if (Buffer.byteLength(text) > MOST_PATH_BYTES) {
      throw new UsageError(
        `'${text}' is longer than the ${MOST_PATH_BYTES} bytes of a Unix socket's path (--net ${words})`,
      )
    }
    return { path: text }
  }
  return { host: tcp[1] || tcp[2] || LOOPBACK, port: portOf(tcp[3]!, words) }
}

function parseForward(setting: Setting, words: string): Forward {
  const spec = /^(tcp|udp):(?:(\d+\.\d+\.\d+\.\d+):)?(\d+):(\d+)$/.exec(setting.value ?? '')
  if (setting.name !== 'forward' || spec === null) throw meansNothing(setting, 'user', words)
  const [, protocol, address = LOOPBACK, hostPort, guestPort] = spec
  return {
    protocol: protocol as Forward['protocol'],
    address,
    hostPort: portOf(hostPort!, words),
    guestPort: portOf(guestPort!, words),
  }
}

function portOf(text: string, words: string): number {
  const port = Number(text)
  if (port === 0 || port > MOST_PORT) {
    throw new UsageError(`'${text}' is no port; write one from 1 to ${MOST_PORT} (--net ${words})`)
  }
  return port
}

function modelOf({ value, text }: Setting, words: string): Model {
  const model = MODELS.find((each) => each === value)
  if (model === undefined) {
    throw new UsageError(`'${text}' is no card that there is; write model=${MODELS.join('|')} (--net ${words})`)
  }
  return model
}

function addressOf({ value = '', text }: Setting, words: string): number[] {
  if (!/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value)) {
    throw new UsageError(`'${text}' is no address of a card; write it as mac=52:54:00:12:34:56 (--net ${words})`)
  }
  const address = value.split(':').map((byte) => Number.parseInt(byte, 16))
  if (address[0]! & 1)
    throw new UsageError(`mac of --net ${words}: a card has no address of a group; make its first byte even`)
  return address
}

function meansNothing({ text }: Setting, kind: NetworkChoice['kind'], words: string): UsageError {
  return new UsageError(
    `'${text}' says nothing of a network card; write it as ${FORMS[kind]}${CARD_FORM} (--net ${words})`,
  )
}
