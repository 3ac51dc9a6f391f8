/** What a network card is connected to. */
import type { NodeName, OutputListener, WorldSource } from '../../bus/mod.ts'
import type { Forward } from './passt.ts'
import type { SocketAddress } from './peers.ts'

/**
 * It hears what a card sends, and is where what it receives comes from. One that is `scripted` is as deterministic as an input script:
 * it hears frames at their virtual times. One of the `host` speaks with others: it hears a frame when the entry behind it is durable, and
 * lives in host time.
 */
export type NetworkBackend = ScriptedNetwork | HostNetwork

interface Network extends WorldSource {
  readonly hear: OutputListener
  /** What was lost here so far and why, in a line; undefined: nothing. */
  readonly losses: string | undefined
}

export interface ScriptedNetwork extends Network {
  readonly kind: 'scripted'
}

export interface HostNetwork extends Network {
  readonly kind: 'host'
  /** Before the run. Throws a `NetworkError`. */
  start(): Promise<void>
  /** After the run: what was sent leaves as far as the other side takes it soon. Never fails; may be called twice. */
  close(): Promise<void>
}

/** Which backend, and its settings. */
export type NetworkChoice =
  /** `root`: a directory that is there, whose files it gives out. */
  | { kind: 'hermetic'; root?: string }
  | { kind: 'stream'; at: SocketAddress; listen: boolean; reconnectSeconds?: number }
  | { kind: 'user'; forwards: readonly Forward[] }

export interface NetworkHost {
  /** For a person: what became of a connection. */
  note(text: string): void
  /** Something came in: wakes a run that sleeps. */
  onInput(): void
}

/** One of the backends there are, for a card; it is loaded only when it is asked for. */
export async function networkBackend(
  choice: NetworkChoice,
  card: NodeName,
  host: NetworkHost,
): Promise<NetworkBackend> {
  if (choice.kind === 'hermetic') {
    const { HermeticNetwork } = await import('./hermetic/hermetic.ts')
    const { HostDirectory } = await import('./hermetic/served-files.ts')
    return new HermeticNetwork(card, choice.root === undefined ? {} : { files: new HostDirectory(choice.root) })
  }
  const { StreamNetwork } = await import('./stream-network.ts')
  return new StreamNetwork({ card, peers: await peersOf(choice), ...host })
}

async function peersOf(choice: Exclude<NetworkChoice, { kind: 'hermetic' }>) {
  if (choice.kind === 'user') {
    const { Passt } = await import('./passt.ts')
    return new Passt(choice)
  }
  const { Connector, Listener } = await import('./peers.ts')
  return choice.listen ? new Listener(choice) : new Connector(choice)
}
