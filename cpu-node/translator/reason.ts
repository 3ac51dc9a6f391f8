/** Why a region was left. */
export const Reason = {
  /** Go on at the program counter. */
  run: 0,
  /** Let the interpreter do the instruction at the program counter. */
  interpret: 1,
  /** The budget does not reach over the block at the program counter. */
  cut: 2,
  /** Interrupts, mode and limit are to be looked at. */
  look: 3,
  /** As `interpret`: it is an access that missed the fast way. */
  missed: 5,
  /** Go on at a place in the code arena: the dispatcher found no translated code there. */
  entry: 4,
} as const
