export * from './config-space.ts'
export * from './decoder.ts'
export * from './masked-registers.ts'
