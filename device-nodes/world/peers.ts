/**
 * Where the other side of a stream network comes from: connected to, or waited for, on a TCP or a Unix socket.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** A network cannot be had. The message says which, why, and what to do. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError'
}

export type SocketAddress = { host: string; port: number } | { path: string }

/** Someone who speaks frames. */
export interface Peer {
  socket: Duplex
  /** For people. */
  name: string
}

export interface PeerSource {
  /** Peers come from now on, the first one before it resolves if one is there. Throws a `NetworkError`. */
  start(onPeer: (peer: Peer) => void): Promise<void>
  /** Whether another may come. */
  readonly open: boolean
  /** The peer is gone, as far as its connection tells `why`; another may be looked for. Says more, and what comes now. Never fails. */
  ended(why: string): Promise<string>
  /** No more come. Never fails. */
  close(): Promise<void>
}

export function addressText(address: SocketAddress): string {
  if ('path' in address) return address.path
  const { host, port } = address
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Connects to a peer, and again if it is told to. */
export class Connector implements PeerSource {
  readonly #at: SocketAddress
  readonly #reconnectMs: number | undefined
  readonly #name: string
  #onPeer: (peer: Peer) => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #socket: Socket | undefined
  #isClosed = false

  /** @param reconnectSeconds how long it waits before it tries again; without, it does not */
  constructor({ at, reconnectSeconds }: { at: SocketAddress; reconnectSeconds?: number }) {
    this.#at = at
    this.#name = addressText(at)
    this.#reconnectMs = reconnectSeconds === undefined ? undefined : reconnectSeconds * 1000
  }

  get open(): boolean {
    return this.#reconnectMs !== undefined && !this.#isClosed
  }

  async start(onPeer: (peer: Peer) => void): Promise<void> {
    this.#onPeer = onPeer
    try {
      await this.#connect()
    } catch (cause) {
      if (this.#reconnectMs !== undefined) return this.#tryLater()
      const why = (cause as Error).message
      throw new NetworkError(
        `no connection to ${this.#name} (${why}); start what listens there first, or let the run wait for it with reconnect=SECONDS`,
        { cause },
      )
    }
  }

  async ended(why: string): Promise<string> {
    if (this.#reconnectMs === undefined) return why
    this.#tryLater()
    return `${why}, and is tried again every ${this.#reconnectMs / 1000} s`
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#socket?.destroy()
  }

  async #connect(): Promise<void> {
    const socket = connect(this.#at)
    this.#socket = socket
    try {
      await once(socket, 'connect')
    } catch (error) {
      socket.destroy()
      throw error
    }
    socket.setNoDelay(true)
    this.#onPeer({ socket, name: this.#name })
  }

  #tryLater(): void {
    if (this.#isClosed) return
    this.#timer = setTimeout(() => {
      this.#connect().catch(() => this.#tryLater())
    }, this.#reconnectMs)
  }
}

/** Waits for peers, one at a time: who comes while one is there is sent away. */
export class Listener implements PeerSource {
  readonly #at: SocketAddress
  readonly #server: Server
  #isClosed = false

  constructor({ at }: { at: SocketAddress }) {
    this.#at = at
    this.#server = createServer()
  }

  get open(): boolean {
    return !this.#isClosed
  }

  /** Where it listens; with port 0 the host chose one. */
  get address(): SocketAddress {
    const address = this.#server.address()
    if (typeof address === 'string') return { path: address }
    return address === null ? this.#at : { host: address.address, port: address.port }
  }

  async start(onPeer: (peer: Peer) => void): Promise<void> {
    const name = addressText(this.#at)
    this.#server.on('connection', (socket) => {
      socket.setNoDelay(true)
      onPeer({ socket, name: `the peer at ${name}` })
    })
    this.#server.listen(this.#at)
    try {
      await once(this.#server, 'listening')
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      const advice = code === 'EADDRINUSE' ? 'something listens there already, or did: name another' : 'name another'
      throw new NetworkError(`${name} cannot be listened at (${message}); ${advice}`, { cause })
    }
    // One without file descriptors to spare takes no peer, and the run goes on.
    this.#server.on('error', () => {})
  }

  async ended(why: string): Promise<string> {
    return `${why}, and the next one is waited for`
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (!this.#server.listening) return
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}
