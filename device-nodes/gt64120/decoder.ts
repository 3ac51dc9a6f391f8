/** Words for the GT-64120's messages: registers by name, configuration cycles by bus, device, function and register. */
import { configAddress } from '../pci/mod.ts'
import { accessDecoder, hex, type NamedAccess, type Payload } from '../sdk/mod.ts'
import { gtOffset, gtRegisters } from './registers.ts'

/** The register that `offset` names; a configuration cycle is told by its address. */
function registerAt({ offset, index }: { offset: number; index?: number }): NamedAccess {
  const words = (value: number) => hex(value, 8)
  if (offset !== gtOffset.PCI0_CONFIGURATION_DATA || index === undefined) {
    return { register: gtRegisters.get(offset)?.name ?? `reserved ${hex(offset, 3)}`, words }
  }
  const part = (value: number) => value.toString(16).padStart(2, '0')
  const devfn = configAddress.devfn(index)
  const where = `${part(configAddress.bus(index))}:${part(devfn >>> 3)}.${devfn & 7}`
  return { register: `config ${where} ${hex(configAddress.register(index))}`, words }
}

export function gtDecoder(): (payload: Payload) => string | undefined {
  return accessDecoder(registerAt, registerAt)
}
