/**
 * Device models, boards and the world's backends: what the orchestrator and the tools may import from here.
 */
export { type Uart16550Properties, uart16550 } from './uart16550/uart16550.ts'
