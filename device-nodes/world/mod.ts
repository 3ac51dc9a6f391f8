/** What stands outside a machine: the host's terminal and input scripts. */
export { type ConsoleInput, type ConsoleOptions, HostConsole } from './console.ts'
export { type NetworkBackend, type NetworkChoice, networkBackend } from './network.ts'
export { DEFAULT_LIMIT_SECONDS, parseScript, type Script, ScriptError, type ScriptStep } from './script.ts'
export { ScriptTimeoutError, Typist } from './typist.ts'
