/**
 * What whole-machine tests use of the tools: guests, machines and images.
 */

export { buildMachine, recordedMachine } from './cli/machine.ts'
export { type AnankeOptions, ananke, lastObject, type Outcome, said } from './cli/testing.ts'
export { GuestError, ImageError, UsageError, UserError } from './errors.ts'
export { type GuestImages, guestDirectory, loadGuest } from './guests/cache.ts'
export { type CommandResult, NoSuchProgram, run } from './guests/command.ts'
export { GUESTS, type Guest, guestNamed } from './guests/guests.ts'
export { checkInitrd } from './images/initrd.ts'
export { type KernelImage, readImageFile, readKernel } from './images/kernel.ts'
