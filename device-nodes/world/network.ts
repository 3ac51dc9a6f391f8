/** What a network card is connected to. */
import type { NodeName, OutputListener, WorldSource } from '../../bus/mod.ts'

/** It hears what a card sends, and is where what it receives comes from. */
export interface NetworkBackend extends WorldSource {
  readonly hear: OutputListener
}

/** What is said of a backend. */
export interface NetworkChoice {
  backend: 'hermetic'
  /** A directory that is there, whose files it gives out. */
  root?: string
}

/** One of the backends there are, for a card; it is loaded only when it is asked for. */
export async function networkBackend({ backend, root }: NetworkChoice, card: NodeName): Promise<NetworkBackend> {
  switch (backend) {
    case 'hermetic': {
      const { HermeticNetwork } = await import('./hermetic/hermetic.ts')
      const { HostDirectory } = await import('./hermetic/served-files.ts')
      return new HermeticNetwork(card, root === undefined ? {} : { files: new HostDirectory(root) })
    }
  }
}
