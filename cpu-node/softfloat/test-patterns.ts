/**
 * Bit patterns on which floating-point units go wrong, and a seeded source of random ones: for tests only.
 */

/** A small deterministic generator of 32-bit words (splitmix32). */
export function randomWords(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let word = state ^ (state >>> 16)
    word = Math.imul(word, 0x21f0aaad)
    word ^= word >>> 15
    word = Math.imul(word, 0x735a2d97)
    return (word ^ (word >>> 15)) >>> 0
  }
}

function withSigns(patterns: readonly bigint[], signBit: bigint): bigint[] {
  return patterns.flatMap((pattern) => [pattern, pattern | signBit])
}

/** Zeros, denormals, halfway cases, integer limits, infinities, NaNs quiet and signalling under either rule. */
export const SINGLE_EDGES: readonly bigint[] = withSigns(
  [
    0n,
    0x00000001n,
    0x00000002n,
    0x00400000n,
    0x007fffffn,
    0x00800000n,
    0x00800001n,
    0x33800000n,
    0x3effffffn,
    0x3f000000n,
    0x3f000001n,
    0x3f7fffffn,
    0x3f800000n,
    0x3f800001n,
    0x3fc00000n,
    0x40000000n,
    0x40200000n,
    0x40490fdbn,
    0x4b000001n,
    0x4b7fffffn,
    0x4b800000n,
    0x4effffffn,
    0x4f000000n,
    0x4f000001n,
    0x5effffffn,
    0x5f000000n,
    0x5f000001n,
    0x7f000000n,
    0x7f7fffffn,
    0x7f800000n,
    0x7f800001n,
    0x7fbfffffn,
    0x7fc00000n,
    0x7fc00001n,
    0x7fffffffn,
  ],
  1n << 31n,
)

export const DOUBLE_EDGES: readonly bigint[] = withSigns(
  [
    0n,
    0x0000000000000001n,
    0x0000000000000002n,
    0x0008000000000000n,
    0x000fffffffffffffn,
    0x0010000000000000n,
    0x0010000000000001n,
    0x3690000000000000n,
    0x380fffffffffffffn,
    0x380ffffff0000000n,
    0x3810000000000000n,
    0x3ca0000000000000n,
    0x3fdfffffffffffffn,
    0x3fe0000000000000n,
    0x3fe0000000000001n,
    0x3fefffffffffffffn,
    0x3ff0000000000000n,
    0x3ff0000000000001n,
    0x3ff0000010000000n,
    0x3ff0000030000000n,
    0x3ff8000000000000n,
    0x4000000000000000n,
    0x4004000000000000n,
    0x400921fb54442d18n,
    0x41dfffffffc00000n,
    0x41dfffffffe00000n,
    0x41e0000000000000n,
    0x41e0000000100000n,
    0x41e0000000200000n,
    0x4330000000000001n,
    0x4340000000000000n,
    0x43dfffffffffffffn,
    0x43e0000000000000n,
    0x43e0000000000001n,
    0x47efffffe0000000n,
    0x47effffff0000000n,
    0x47f0000000000000n,
    0x7fe0000000000000n,
    0x7fefffffffffffffn,
    0x7ff0000000000000n,
    0x7ff0000000000001n,
    0x7ff4000000000000n,
    0x7ff7ffffffffffffn,
    0x7ff8000000000000n,
    0x7ff8000020000000n,
    0x7fffffffffffffffn,
  ],
  1n << 63n,
)

/** An edge pattern, a random pattern, or a number of moderate size with many or few significant bits. */
export function randomSingle(next: () => number): bigint {
  const choice = next() % 8
  if (choice < 3) return SINGLE_EDGES[next() % SINGLE_EDGES.length]!
  if (choice < 5) return BigInt(next())
  const fraction = choice === 5 ? next() & 0x7f0000 : next() & 0x7fffff
  return BigInt((((next() & 1) << 31) | ((107 + (next() % 40)) << 23) | fraction) >>> 0)
}

/** As `randomSingle`. */
export function randomDouble(next: () => number): bigint {
  const choice = next() % 8
  if (choice < 3) return DOUBLE_EDGES[next() % DOUBLE_EDGES.length]!
  if (choice < 5) return (BigInt(next()) << 32n) | BigInt(next())
  const high = (((next() & 1) << 31) | ((983 + (next() % 80)) << 20) | (next() & 0xfffff)) >>> 0
  return (BigInt(high) << 32n) | (choice === 5 ? 0n : BigInt(next()))
}
