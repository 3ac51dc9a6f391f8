/** What a network card is connected to. */
import type { NodeName, OutputListener, WorldSource } from '../../bus/mod.ts'

/** It hears what a card sends, and is where what it receives comes from. */
export interface NetworkBackend extends WorldSource {
  readonly hear: OutputListener
}

/** One of the backends there are, for a card; it is loaded only when it is asked for. */
export async function networkBackend(kind: 'hermetic', card: NodeName): Promise<NetworkBackend> {
  switch (kind) {
    case 'hermetic': {
      const { HermeticNetwork } = await import('./hermetic/hermetic.ts')
      return new HermeticNetwork(card)
    }
  }
}
