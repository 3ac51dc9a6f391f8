/** Tables for people. */
import Table from 'cli-table3'

/** Without lines around and between. */
const PLAIN = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid']
    .concat(['mid', 'mid-mid', 'right', 'right-mid', 'middle'])
    .map((name) => [name, '']),
)

/** Columns of text. */
export function plainTable(rows: readonly (readonly string[])[]): string {
  const table = new Table({ chars: PLAIN, style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 } })
  table.push(...rows.map((row) => [...row]))
  return table.toString()
}
