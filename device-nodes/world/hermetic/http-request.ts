/**
 * The head of an HTTP/1.1 request: RFC 9112 2 to 5, RFC 9110 5 and 13, 14 for what a server of files needs of its fields.
 *
 * A parser of its own, and a strict one: Node's cannot be had without its sockets, which answer when the host gets to it, and what is
 * said here must be said at a moment of virtual time.
 */

/** Longer ones are refused: 414 and 431. */
export const MOST_LINE_BYTES = 8 << 10
export const MOST_HEAD_BYTES = 16 << 10

export interface HttpRequest {
  method: string
  /** The path in it, decoded: one character a byte. It begins with `/`. */
  path: string
  /** By names in small letters; those that came more than once are joined by commas. */
  fields: ReadonlyMap<string, string>
  /** Whether the connection stays for more requests. */
  isKept: boolean
}

/** `request`, or the status of why it is none; and how many bytes the head has. `more`: it is not whole. */
export type ParsedHead = { request: HttpRequest; bytes: number } | { refused: number } | 'more'

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Names of files may stand in it as they are, beyond ASCII. */
const REQUEST_LINE = /^(\S+) ([!-~\x80-\xff]+) HTTP\/(\d)\.(\d)$/
/** What may not be in a value: controls but for tabs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/
const BLANK_LINES = /^(?:\r?\n)+/

/** Reads the head at the start of what has come. */
export function parseHead(received: Buffer): ParsedHead {
  const text = received.subarray(0, MOST_HEAD_BYTES).toString('latin1')
  // Some clients send an empty line behind a body.
  const start = BLANK_LINES.exec(text)?.[0].length ?? 0
  const end = /\r?\n\r?\n/.exec(text.slice(start))
  if (end === null) return unfinished(text.slice(start), received.length)
  const [requestLine = '', ...lines] = text.slice(start, start + end.index).split(/\r?\n/)
  if (requestLine.length > MOST_LINE_BYTES) return { refused: 414 }
  const parts = REQUEST_LINE.exec(requestLine)
  if (parts === null) return { refused: 400 }
  const [, method = '', target = '', major, minor] = parts
  if (!TOKEN.test(method)) return { refused: 400 }
  if (major !== '1') return { refused: 505 }
  const fields = fieldsOf(lines)
  const path = pathOf(target)
  if (fields === undefined || path === undefined) return { refused: 400 }
  const isCurrent = minor !== '0'
  // One host, neither none nor several (RFC 9112 3.2).
  const host = fields.get('host')
  if (isCurrent ? host === undefined || host.includes(',') : host?.includes(',')) return { refused: 400 }
  if (hasBody(fields)) return { refused: method === 'GET' || method === 'HEAD' ? 400 : 405 }
  const words = (fields.get('connection') ?? '').toLowerCase().split(/[ \t]*,[ \t]*/)
  const isKept = isCurrent ? !words.includes('close') : words.includes('keep-alive')
  return { request: { method, path, fields, isKept }, bytes: start + end.index + end[0].length }
}

function unfinished(text: string, bytes: number): ParsedHead {
  const lineEnd = text.indexOf('\n')
  if ((lineEnd < 0 ? text.length : lineEnd) > MOST_LINE_BYTES) return { refused: 414 }
  return bytes >= MOST_HEAD_BYTES ? { refused: 431 } : 'more'
}

function fieldsOf(lines: readonly string[]): Map<string, string> | undefined {
  const fields = new Map<string, string>()
  for (const line of lines) {
    // A line that goes on with the one before begins with a blank, and is no field (RFC 9112 5.2).
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0))
    const value = line.slice(colon + 1).trim()
    if (!TOKEN.test(name) || CONTROL.test(value)) return undefined
    const key = name.toLowerCase()
    const before = fields.get(key)
    fields.set(key, before === undefined ? value : `${before}, ${value}`)
  }
  return fields
}

/** Nothing here takes a body, so that it need not be found where one ends. */
function hasBody(fields: ReadonlyMap<string, string>): boolean {
  return fields.has('transfer-encoding') || !/^0*$/.test(fields.get('content-length') ?? '')
}

/** The path of a target, as a server or (with the host before it) a proxy is asked for it. Undefined for what is none. */
function pathOf(target: string): string | undefined {
  const path = /^(?:https?:\/\/[^/?#]*)?(\/[^?#]*)?(?:\?[^#]*)?$/i.exec(target)
  if (path === null || target.startsWith('?')) return undefined
  return percentDecoded(path[1] ?? '/')
}

function percentDecoded(text: string): string | undefined {
  if (/%(?![0-9a-f]{2})/i.test(text)) return undefined
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}

/** Seconds since 1970, of a date in any of the three forms of RFC 9110 5.6.7; undefined for what is none. */
export function parseHttpDate(text: string): number | undefined {
  // The last of the three names no zone, and means the same one.
  const milliseconds = Date.parse(text.endsWith(' GMT') ? text : `${text} GMT`)
  return Number.isNaN(milliseconds) ? undefined : Math.floor(milliseconds / 1000)
}

export function httpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString()
}

/**
 * The bytes that a `Range` asks for of a file: `[from, end)`. Undefined: all of it, as when it asks for several parts, which need not be
 * answered; `none`: the file has no such bytes.
 */
export function parseRange(text: string, bytes: number): { from: number; end: number } | 'none' | undefined {
  const [, first = '', last = ''] = /^bytes=[ \t]*(\d*)-(\d*)$/i.exec(text) ?? []
  if (first === '' && last === '') return undefined
  if (first === '') {
    const from = Math.max(0, bytes - Number(last))
    return from < bytes ? { from, end: bytes } : 'none'
  }
  if (last !== '' && Number(last) < Number(first)) return undefined
  if (Number(first) >= bytes) return 'none'
  return { from: Number(first), end: last === '' ? bytes : Math.min(bytes, Number(last) + 1) }
}
