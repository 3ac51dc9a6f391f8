/**
 * An HTTP/1.1 server of files, for one connection: GET and HEAD, kept connections with requests ahead of their answers, one range, dates.
 * RFC 9110, 9112. A directory is its `index.html`, or a list of what is in it.
 *
 * It gives no `Date`: it has no clock that a guest would agree with. Files are read as they are sent, a piece at a time; one that changes
 * meanwhile breaks the connection off, since its length has been said.
 */
import {
  type HttpRequest,
  httpDate,
  MOST_HEAD_BYTES,
  type ParsedHead,
  parseHead,
  parseHttpDate,
  parseRange,
} from './http-request.ts'
import { type DirectoryEntry, pathNames, type ServedFile, type ServedFiles } from './served-files.ts'
import type { TcpService } from './tcp-connection.ts'

/** Of requests that wait for their turn. What is more waits at the guest. */
const MOST_RECEIVED_BYTES = 3 * MOST_HEAD_BYTES
const PIECE_BYTES = 64 << 10
/** In a list of a directory; the rest can be had all the same. */
const MOST_LISTED = 10_000

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  206: 'Partial Content',
  301: 'Moved Permanently',
  304: 'Not Modified',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  414: 'URI Too Long',
  416: 'Range Not Satisfiable',
  431: 'Request Header Fields Too Large',
  505: 'HTTP Version Not Supported',
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['html', 'text/html; charset=utf-8'],
  ['txt', 'text/plain; charset=utf-8'],
])
const OTHER_TYPE = 'application/octet-stream'
const NOTHING = Buffer.alloc(0)

/** What is being sent: bytes that are here, then those of a file from `at` to `end`. */
interface Answer {
  bytes: Buffer
  file?: ServedFile
  at: number
  end: number
}

/** What a request comes to. */
interface Content {
  status: number
  fields?: readonly string[]
  /** Or a part of a file, up to before `end`: whoever sends it closes the file. */
  body: Buffer | { file: ServedFile; from: number; end: number }
}

export class HttpService implements TcpService {
  readonly #files: ServedFiles
  /** At most `MOST_RECEIVED_BYTES`: heads that are not yet answered. */
  #received: Buffer = NOTHING
  #answer: Answer | undefined
  /** The guest sends no more; nothing after the answer that is being sent is answered. */
  #hasGuestEnded = false
  #isLast = false

  constructor(files: ServedFiles) {
    this.#files = files
  }

  get room(): number {
    return MOST_RECEIVED_BYTES - this.#received.length
  }

  receive(bytes: Buffer): void {
    // What a guest says after its last request is of no interest, and takes no room.
    if (!this.#isLast) this.#received = Buffer.concat([this.#received, bytes])
  }

  end(): void {
    this.#hasGuestEnded = true
  }

  read(mostBytes: number): Buffer | 'later' | 'end' | 'reset' {
    this.#answer ??= this.#nextAnswer()
    const answer = this.#answer
    if (answer === undefined) return this.#isLast || this.#hasGuestEnded ? 'end' : 'later'
    if (answer.bytes.length < mostBytes && answer.at < answer.end && !readPiece(answer)) return 'reset'
    const bytes = answer.bytes.subarray(0, mostBytes)
    answer.bytes = answer.bytes.subarray(mostBytes)
    if (answer.bytes.length === 0 && answer.at === answer.end) this.#finish()
    return bytes
  }

  close(): void {
    this.#finish()
    this.#received = NOTHING
  }

  #finish(): void {
    this.#answer?.file?.close()
    this.#answer = undefined
  }

  #nextAnswer(): Answer | undefined {
    if (this.#isLast || this.#received.length === 0) return undefined
    const parsed = parseHead(this.#received)
    if (parsed === 'more') return undefined
    this.#received = 'bytes' in parsed ? this.#received.subarray(parsed.bytes) : NOTHING
    const isKept = 'request' in parsed && parsed.request.isKept
    this.#isLast = !isKept
    if (this.#isLast) this.#received = NOTHING
    return answerOf(this.#contentOf(parsed), isKept, 'request' in parsed && parsed.request.method === 'HEAD')
  }

  #contentOf(parsed: Exclude<ParsedHead, 'more'>): Content {
    if ('refused' in parsed) return failure(parsed.refused)
    const { method, path } = parsed.request
    if (method !== 'GET' && method !== 'HEAD') return failure(405, 'Allow: GET, HEAD')
    const names = pathNames(path)
    if (names === undefined) return failure(403)
    const found = this.#files.find(names)
    if (found.kind === 'missing') return failure(404)
    if (found.kind === 'forbidden') return failure(403)
    if (found.kind === 'file' && path.endsWith('/')) {
      found.file.close()
      return failure(404)
    }
    if (found.kind === 'file') return contentOfFile(found.file, names.at(-1) ?? '', parsed.request)
    if (!path.endsWith('/')) return failure(301, `Location: /${names.map(inUrl).join('/')}/`)
    const index = this.#files.find([...names, 'index.html'])
    if (index.kind === 'file') return contentOfFile(index.file, 'index.html', parsed.request)
    return { status: 200, fields: [`Content-Type: ${TYPES.get('html')}`], body: listing(names, found.list()) }
  }
}

/** More of the file behind what is left, so that segments are whole. Returns false if it is not the file that was opened. */
function readPiece(answer: Answer): boolean {
  const length = Math.min(PIECE_BYTES, answer.end - answer.at)
  const piece = answer.file?.read(answer.at, length)
  if (piece === undefined) return false
  answer.bytes = Buffer.concat([answer.bytes, piece])
  answer.at += length
  return true
}

function answerOf({ status, fields = [], body }: Content, isKept: boolean, isHeadOnly: boolean): Answer {
  const bytes = Buffer.isBuffer(body) ? body.length : body.end - body.from
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    ...fields,
    ...(status === 304 ? [] : [`Content-Length: ${bytes}`]),
    `Connection: ${isKept ? 'keep-alive' : 'close'}`,
  ]
  const headBytes = Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1')
  if (Buffer.isBuffer(body)) {
    return { bytes: isHeadOnly ? headBytes : Buffer.concat([headBytes, body]), at: 0, end: 0 }
  }
  const { file, from, end } = body
  if (!isHeadOnly && from < end) return { bytes: headBytes, file, at: from, end }
  file.close()
  return { bytes: headBytes, at: 0, end: 0 }
}

function failure(status: number, ...fields: string[]): Content {
  const body = Buffer.from(`${status} ${REASONS[status]}\n`)
  return { status, fields: [...fields, `Content-Type: ${TYPES.get('txt')}`], body }
}

function contentOfFile(file: ServedFile, name: string, { method, fields }: HttpRequest): Content {
  const { bytes, modifiedSeconds } = file
  const modified = httpDate(modifiedSeconds)
  const dated = `Last-Modified: ${modified}`
  // Nothing here has a tag, so a guest that has one has another file.
  const since = fields.has('if-none-match') ? undefined : parseHttpDate(fields.get('if-modified-since') ?? '')
  if (since !== undefined && modifiedSeconds <= since) {
    file.close()
    return { status: 304, fields: [dated], body: NOTHING }
  }
  const extension = /\.([^.]*)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  const told = [dated, `Content-Type: ${TYPES.get(extension) ?? OTHER_TYPE}`, 'Accept-Ranges: bytes']
  // A part is wanted only of the file that the guest has parts of (RFC 9110 13.1.5).
  const isSame = (fields.get('if-range') ?? modified) === modified
  const range = method === 'GET' && isSame ? parseRange(fields.get('range') ?? '', bytes) : undefined
  if (range === 'none') {
    file.close()
    return failure(416, `Content-Range: bytes */${bytes}`)
  }
  if (range === undefined) return { status: 200, fields: told, body: { file, from: 0, end: bytes } }
  const part = `Content-Range: bytes ${range.from}-${range.end - 1}/${bytes}`
  return { status: 206, fields: [...told, part], body: { file, ...range } }
}

/** The same whenever the same names are there. */
function listing(names: readonly string[], entries: readonly DirectoryEntry[]): Buffer {
  const title = inHtml(`/${names.map((name) => `${name}/`).join('')}`)
  const lines = entries.slice(0, MOST_LISTED).map(({ name, isDirectory }) => {
    const slash = isDirectory ? '/' : ''
    return `<li><a href="./${inUrl(name)}${slash}">${inHtml(name)}${slash}</a></li>`
  })
  const rest = entries.length > MOST_LISTED ? [`<p>and ${entries.length - MOST_LISTED} more</p>`] : []
  const page = ['<!DOCTYPE html>', `<title>${title}</title>`, `<h1>${title}</h1>`, '<ul>', ...lines, '</ul>', ...rest]
  return Buffer.from(`${page.join('\n')}\n`)
}

/** A name of one character a byte, as it stands in a URL. */
function inUrl(name: string): string {
  return name.replaceAll(
    /[^A-Za-z0-9._~-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

/** A name of one character a byte, as people read it. */
function inHtml(name: string): string {
  const text = Buffer.from(name, 'latin1').toString('utf8')
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
