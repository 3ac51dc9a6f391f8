/**
 * Device models, boards and the world's backends: what the orchestrator and the tools may import from here.
 */
export { type I8254Properties, i8254 } from './i8254/i8254.ts'
export { I8259_ACKNOWLEDGE_REGION, type I8259Properties, i8259 } from './i8259/i8259.ts'
export { type Mc146818Properties, mc146818 } from './mc146818/mc146818.ts'
export { type Uart16550Properties, uart16550 } from './uart16550/uart16550.ts'
