/** The machines that there are, by the name that a manifest and `--machine` use. */
import type { BoardDefinition } from './definition.ts'
import { dmaTestBoard } from './dma-test.ts'
import { malta } from './malta.ts'

export type { BoardDefinition, BuiltBoard, GuestImages, GuestProgram } from './definition.ts'
export { BoardOptionsError } from './definition.ts'

export const boards: Readonly<Record<string, BoardDefinition>> = { malta, 'dma-test': dmaTestBoard }
