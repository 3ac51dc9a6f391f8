/**
 * What whole-machine tests use of the tools: the command line as a person runs it, the guests it knows, and how
 * it takes figures together and says what went wrong.
 */
export { median } from './bench/statistics.ts'
export { reportFailure } from './cli/failure.ts'
export { LOW_MEMORY_BYTES } from './cli/request.ts'
export { ananke, lastObject, type Outcome, said } from './cli/testing.ts'
export { UsageError } from './errors.ts'
export { guestDirectory, loadGuest } from './guests/cache.ts'
export { makeExt4 } from './guests/ext4.ts'
export { guestNamed } from './guests/guests.ts'
export { readKernel } from './images/kernel.ts'
