import type { Op, Value } from './ir.ts'

/** The values that an operation uses. */
export function valuesOf(op: Op): readonly Value[] {
  switch (op.op) {
    case 'const':
    case 'address':
    case 'get':
      return []
    case 'put':
      return [op.value]
    case 'binary':
    case 'compare':
      return [op.a, op.b]
    case 'unary':
    case 'convert':
      return [op.a]
    case 'select':
      return [op.condition, op.a, op.b]
    case 'load':
      return [op.address]
    case 'store':
      return [op.address, op.value]
    case 'call':
      return op.args
    case 'faultIf':
    case 'exitIf':
    case 'lookIf':
      return [op.condition]
  }
}
