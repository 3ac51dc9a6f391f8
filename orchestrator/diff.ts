/**
 * Where two recordings part.
 */
import { contextBefore, type Divergence, describeDifference, type Journal, sameMessage } from './divergence.ts'

/**
 * The first entry in which `actual` is not `expected`, or `undefined` if they have the same entries. One that ends where
 * the other goes on differs there.
 */
export function diff(expected: Journal, actual: Journal): Divergence | undefined {
  const longest = Math.max(expected.entryCount, actual.entryCount)
  for (let entry = 0; entry < longest; entry++) {
    const left = entry < expected.entryCount ? expected.entry(entry) : undefined
    const right = entry < actual.entryCount ? actual.entry(entry) : undefined
    if (left !== undefined && right !== undefined && sameMessage(left, right)) continue
    const at = left ?? right
    if (at === undefined) break
    return {
      node: (right ?? at).src,
      entry,
      vt: at.vt,
      icount: at.icount,
      ...(left && { expected: left }),
      ...(right && { actual: right }),
      what: describeDifference(left, right),
      before: contextBefore(expected, entry),
    }
  }
  return undefined
}
