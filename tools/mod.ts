/**
 * What whole-machine tests use of the tools: the command line as a person runs it, and the guests it knows.
 */
export { ananke, lastObject, type Outcome, said } from './cli/testing.ts'
export { guestDirectory, isCached, loadGuest } from './guests/cache.ts'
export { guestNamed } from './guests/guests.ts'
export { readKernel } from './images/kernel.ts'
