/**
 * Console text of a Linux boot, taken apart for comparison.
 */

/** Lines without carriage returns, time stamps, escape sequences and blanks at their ends. */
export function consoleLines(text: string): string[] {
  return (
    text
      .replaceAll('\r', '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: terminals' escape sequences begin with one
      .replaceAll(/\x1b\[[0-9;]*[a-zA-Z]/g, '')
      .split('\n')
      .map((line) => line.replace(/^\[ *\d+\.\d{6}\] /, '').trimEnd())
  )
}

/** The lines that only one of two texts has, each in order, by a longest common subsequence. */
export function lineDifferences(a: readonly string[], b: readonly string[]): { onlyA: string[]; onlyB: string[] } {
  const width = b.length + 1
  const common = new Uint32Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j
      common[at] = a[i] === b[j] ? common[at + width + 1]! + 1 : Math.max(common[at + width]!, common[at + 1]!)
    }
  }
  const onlyA: string[] = []
  const onlyB: string[] = []
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const at = i * width + j
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i++
      j++
    } else if (j === b.length || (i < a.length && common[at + width]! >= common[at + 1]!)) onlyA.push(a[i++]!)
    else onlyB.push(b[j++]!)
  }
  return { onlyA, onlyB }
}
