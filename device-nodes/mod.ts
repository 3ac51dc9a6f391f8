/**
 * Device models, boards and the world's backends: what the orchestrator and the tools may import from here.
 */

export * from './boards/mod.ts'
export { dmaTest } from './dma-test/dma-test.ts'
export { linkInput, readLink } from './ethernet/mod.ts'
export { type FlashCfiProperties, flashCfi } from './flash-cfi/flash-cfi.ts'
export { type Gt64120Properties, gt64120 } from './gt64120/gt64120.ts'
export { type I8042Properties, i8042 } from './i8042/i8042.ts'
export { type I8254Properties, i8254 } from './i8254/i8254.ts'
export { I8259_ACKNOWLEDGE_REGION, type I8259Properties, i8259 } from './i8259/i8259.ts'
export { type MaltaRegistersProperties, maltaRegisters } from './malta-registers/malta-registers.ts'
export { type Mc146818Properties, mc146818 } from './mc146818/mc146818.ts'
export { piix4Ide, piix4Isa, piix4Pm } from './piix4/mod.ts'
export { powerSwitch } from './power-switch/power-switch.ts'
export { type Uart16550Properties, uart16550 } from './uart16550/uart16550.ts'
export * from './world/mod.ts'
