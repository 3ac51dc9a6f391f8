/** What Ethernet cards share. */
export * from './frames.ts'
export * from './link.ts'
export * from './pci-card.ts'
export * from './transceiver.ts'
export * from './wire.ts'
export * from './words.ts'
