/**
 * The host's own network for a guest, by way of Debian's `passt`: a process without privileges that has a guest's TCP, UDP and ICMP
 * echo leave through sockets of the host, and answers ARP and DHCP itself. It speaks frames on a socket that it inherits, so that
 * nothing of it is in the file system, and it ends when that is closed, however we end.
 *
 * What finds no room in that socket passt throws away, and for every segment that a guest so misses it sends the whole window anew, which
 * may never end. So the socket is one of TCP, which holds some 2.6 MB; a Unix socket pair holds 0.2 MB.
 *
 * The addresses are those of QEMU's user network and of the hermetic one:
 *
 *   10.0.2.2    the router, and the host's loopback: a server at 127.0.0.1:8000 is 10.0.2.2:8000 to the guest
 *   10.0.2.3    the host's first name server
 *   10.0.2.15   the guest, by DHCP
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setImmediate as endOfTurn, setTimeout as sleep } from 'node:timers/promises'
import { framed, LENGTH_BYTES } from './framing.ts'
import { NetworkError, type Peer, type PeerSource } from './peers.ts'

/** Connections to a port of the host that go to a port of the guest. */
export interface Forward {
  protocol: 'tcp' | 'udp'
  /** An address of the host. */
  address: string
  hostPort: number
  guestPort: number
}

const ADDRESSES = [
  '--ipv4-only',
  // Otherwise it says 65,520, which no card here has.
  ...['--mtu', '1500'],
  ...['--address', '10.0.2.15', '--netmask', '255.255.255.0', '--gateway', '10.0.2.2'],
  ...['--dns-forward', '10.0.2.3', '--mac-addr', '52:55:0a:00:02:02'],
]
/** Who has 10.0.2.2? From nobody in particular. */
const PROBE = Uint8Array.from([
  ...[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x55, 10, 0, 2, 1, 0x08, 0x06],
  ...[0, 1, 0x08, 0, 6, 4, 0, 1, 0x52, 0x55, 10, 0, 2, 1, 0, 0, 0, 0],
  ...[0, 0, 0, 0, 0, 0, 10, 0, 2, 2],
])
const LOOPBACK = '127.0.0.1'
/** The file descriptor at which it finds its end of the socket. */
const SOCKET_FD = 3
/** What it has printed last is kept for its end. */
const TAIL_CHARACTERS = 4096
/** How long it may take to begin, and to end once it is told to, in milliseconds. */
const BEGIN_MS = 5000
const END_MS = 1000

export class Passt implements PeerSource {
  readonly #forwards: readonly Forward[]
  readonly #program: string
  #child: ChildProcess | undefined
  #exited: Promise<void> | undefined
  #printed = ''

  /** @param program for tests: what is started in its place */
  constructor({ forwards, program = 'passt' }: { forwards: readonly Forward[]; program?: string }) {
    this.#forwards = forwards
    this.#program = program
  }

  /** It comes once. */
  readonly open = false

  async start(onPeer: (peer: Peer) => void): Promise<void> {
    const { ours, theirs } = await socketPair()
    // In a session of its own: Ctrl-C at the terminal is not for it, or the guest's last frames would be lost.
    const child = spawn(this.#program, this.#words(), {
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      cwd: '/',
      detached: true,
    })
    theirs.destroy()
    this.#child = child
    this.#exited = new Promise((resolve) => child.once('close', () => resolve()))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#printed = (this.#printed + text).slice(-TAIL_CHARACTERS)
    })
    try {
      await once(child, 'spawn')
    } catch (cause) {
      ours.destroy()
      throw new NetworkError(startAdvice(cause as NodeJS.ErrnoException), { cause })
    }
    const isHere = await Promise.race([
      answers(ours),
      this.#exited.then(() => false),
      sleep(BEGIN_MS, true, { ref: false }),
    ])
    if (!isHere) {
      ours.destroy()
      const how = await this.ended()
      await this.close()
      throw new NetworkError(`--net user cannot begin: ${how}${namespaceAdvice(this.#printed)}`)
    }
    // What it says while it begins is not why it ends. It is here by now, and read in this turn of the event loop.
    await endOfTurn()
    this.#printed = ''
    onPeer({ socket: ours, name: 'passt' })
  }

  async ended(): Promise<string> {
    await Promise.race([this.#exited, sleep(END_MS, undefined, { ref: false })])
    return this.#end()
  }

  /** It is gone when this resolves. */
  async close(): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS)
    await this.#exited
    clearTimeout(timer)
  }

  #words(): string[] {
    const ports = (protocol: Forward['protocol']) => {
      const specs = this.#forwards
        .filter((forward) => forward.protocol === protocol)
        .map(({ address, hostPort, guestPort }) => `${address}/${hostPort}:${guestPort}`)
      return specs.length === 0 ? ['none'] : specs
    }
    return [
      ...['--foreground', '--stderr', '--quiet', '--fd', String(SOCKET_FD), ...ADDRESSES],
      ...ports('tcp').flatMap((spec) => ['--tcp-ports', spec]),
      ...ports('udp').flatMap((spec) => ['--udp-ports', spec]),
    ]
  }

  /** How it ended, and what it said last. */
  #end(): string {
    const { exitCode = null, signalCode = null } = this.#child ?? {}
    const how =
      signalCode !== null
        ? `passt was ended by ${signalCode}`
        : exitCode !== null
          ? `passt ended (${exitCode})`
          : 'passt closed its socket'
    // It complains of each line that a host without a system log does not take.
    const lines = this.#printed.split('\n').filter((line) => !/^Failed to send \d+ bytes to syslog$|^\s*$/.test(line))
    const last = lines.at(-1)?.trim()
    return last === undefined ? how : `${how}: ${last}`
  }
}

/** Two ends of a connection within this host. */
async function socketPair(): Promise<{ ours: Socket; theirs: Socket }> {
  // Nothing that comes to the end that is handed on may be read here.
  const server = createServer({ pauseOnConnect: true }).listen(0, LOOPBACK)
  await once(server, 'listening')
  const ours = connect((server.address() as AddressInfo).port, LOOPBACK)
  const theirs = await new Promise<Socket>((resolve, reject) => {
    // It stays, for errors after the connection: whoever has the socket hears of them too.
    ours.on('error', reject)
    server.on('connection', (socket) => {
      // Anyone on this host may connect.
      if (socket.remotePort === ours.localPort) resolve(socket)
      else socket.destroy()
    })
  })
  server.close()
  for (const end of [ours, theirs]) end.setNoDelay(true)
  return { ours, theirs }
}

/** Whether it serves: it answers ARP for every address but the guest's. Waits until it does, or its socket ends. */
async function answers(socket: Socket): Promise<boolean> {
  socket.write(framed(PROBE))
  let length: number | undefined
  for (;;) {
    length ??= (socket.read(LENGTH_BYTES) as Buffer | null)?.readUInt32BE()
    // Nothing behind the answer is taken from the socket: that is the guest's.
    if (length !== undefined && socket.read(length) !== null) return true
    if (socket.readableEnded || socket.destroyed) return false
    await new Promise<void>((resolve) => socket.once('readable', resolve).once('close', resolve))
  }
}

function startAdvice({ code, message }: NodeJS.ErrnoException): string {
  return code === 'ENOENT'
    ? 'there is no passt, which --net user is made of; apt install passt'
    : `passt cannot be started (${message}); see that it may be run`
}

function namespaceAdvice(printed: string): string {
  if (!/namespace/i.test(printed)) return ''
  return '; it shuts itself in with user namespaces, which this host or container must allow (sysctl user.max_user_namespaces)'
}
