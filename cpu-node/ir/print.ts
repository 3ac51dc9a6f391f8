import type { Block, Exit, Op, Value } from './ir.ts'

const v = (value: Value): string => `%${value}`
const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`

function printOp(op: Op): string {
  switch (op.op) {
    case 'const':
      return `${op.type}.const ${op.type === 'i32' ? hex(op.value) : op.value}`
    case 'address':
      return `address ${hex(op.offset)}`
    case 'get':
      return `${op.type}.get +${op.offset}`
    case 'put':
      return `${op.type}.put +${op.offset}, ${v(op.value)}`
    case 'binary':
    case 'compare':
      return `${op.type}.${op.name} ${v(op.a)}, ${v(op.b)}`
    case 'unary':
      return `${op.type}.${op.name} ${v(op.a)}`
    case 'convert':
      return `${op.name} ${v(op.a)}`
    case 'select':
      return `${op.type}.select ${v(op.condition)} ? ${v(op.a)} : ${v(op.b)}`
    case 'load':
      return `${op.type}.load${op.width}${op.signed ? 's' : 'u'} [${v(op.address)} + ${op.displacement}] ${op.alignment}${op.forWrite ? ' for write' : ''}`
    case 'store':
      return `store${op.width} [${v(op.address)} + ${op.displacement}], ${v(op.value)} ${op.alignment}`
    case 'call':
      return `call ${op.helper}(${op.args.map(v).join(', ')})${op.type === undefined ? '' : ` -> ${op.type}`}`
    case 'faultIf':
      return `fault ${op.code} if ${v(op.condition)}`
    case 'lookIf':
      return `look, then go to ${hex(op.target)} if ${v(op.condition)}`
    case 'exitIf':
      return `exit ${hex(op.target)} if ${v(op.condition)}`
  }
}

function printExit(exit: Exit): string {
  switch (exit.kind) {
    case 'jump':
      return `jump ${hex(exit.target)}`
    case 'branch':
      return `branch ${v(exit.condition)} ? ${hex(exit.taken)} : ${hex(exit.fallThrough)}`
    case 'indirect':
      return `jump ${v(exit.target)}`
    case 'look':
      return `look, then ${hex(exit.target)}`
    case 'lookAtState':
      return 'look'
    case 'fault':
      return `fault ${exit.code}`
  }
}

/** A block as text, for golden files and for reading: one line an operation, one heading a guest instruction. */
export function printBlock(block: Block, disassemble?: (index: number) => string): string {
  const lines: string[] = []
  let next = 0
  for (const [index, op] of block.ops.entries()) {
    while (block.instructions[next] !== undefined && block.instructions[next]!.start <= index) {
      lines.push(heading(block, next, disassemble))
      next++
    }
    lines.push(`  ${makesValue(op) ? `${v(index)} = ` : ''}${printOp(op)}`)
  }
  for (; next < block.instructions.length; next++) lines.push(heading(block, next, disassemble))
  lines.push(`  ${printExit(block.exit)}`)
  return `${lines.join('\n')}\n`
}

const WITHOUT_VALUE: ReadonlySet<Op['op']> = new Set(['put', 'store', 'faultIf', 'exitIf', 'lookIf'])

function makesValue(op: Op): boolean {
  return op.op === 'call' ? op.type !== undefined : !WITHOUT_VALUE.has(op.op)
}

function heading(block: Block, index: number, disassemble?: (index: number) => string): string {
  const { pc, delaySlot } = block.instructions[index]!
  return `${hex(pc)}${delaySlot ? ' (delay slot)' : ''}: ${disassemble?.(index) ?? ''}`.trimEnd()
}
