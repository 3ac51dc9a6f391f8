/** Words for accesses to a function's configuration space, for the decoders of PCI devices. */
import { accessDecoder, hex, type NamedAccess, type Payload } from '../sdk/mod.ts'
import { pciHeader } from './config-space.ts'
import type { MaskedRegister } from './masked-registers.ts'

type Access = Extract<Payload, { kind: 'read' | 'write' }>

const HEADER_END = 0x40

/**
 * A decoder that names configuration registers in region number `configRegion`: `registers` and the common header.
 * `nameOther` names a register of another region.
 */
export function configDecoder(
  configRegion: number,
  registers: readonly MaskedRegister[],
  nameOther: (region: number, offset: number, kind: 'read' | 'write') => string | NamedAccess | undefined,
): (payload: Payload) => string | undefined {
  const nameOf = ({ region, offset, kind }: Access): NamedAccess | undefined => {
    if (region === configRegion) return { register: `config ${configName(registers, offset)}` }
    const other = nameOther(region, offset, kind)
    return typeof other === 'string' ? { register: other } : other
  }
  return accessDecoder(nameOf, nameOf)
}

function configName(registers: readonly MaskedRegister[], offset: number): string {
  const own = registers.find((row) => offset >= row.offset && offset < row.offset + row.size)
  if (own !== undefined) return own.name
  if (offset >= pciHeader.BAR0 && offset < pciHeader.BAR0 + 24) return `BAR${(offset - pciHeader.BAR0) >>> 2}`
  if (offset >= HEADER_END) return `reserved ${hex(offset)}`
  const header = Object.entries<number>(pciHeader).filter(([, at]) => at <= offset)
  return header[header.length - 1]![0]
}
