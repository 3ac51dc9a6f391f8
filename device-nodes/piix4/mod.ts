export * from './ide.ts'
export * from './isa-bridge.ts'
export * from './power-management.ts'
