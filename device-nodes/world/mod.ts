/** What stands outside a machine: the host's terminal, input scripts and networks. */
export { type ConsoleInput, type ConsoleOptions, HostConsole } from './console.ts'
export { type NetworkBackend, type NetworkChoice, networkBackend } from './network.ts'
export type { Forward } from './passt.ts'
export type { SocketAddress } from './peers.ts'
export { DEFAULT_LIMIT_SECONDS, parseScript, type Script, ScriptError, type ScriptStep } from './script.ts'
export { ScriptTimeoutError, Typist } from './typist.ts'
