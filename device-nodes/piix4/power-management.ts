/**
 * Intel 82371AB (PIIX4), function 3: power management and SMBus.
 *
 * 82371AB datasheet, order number 290562-001, chapter 7. Modelled: the ACPI timer with its status, the status, enable
 * and control registers, the system control interrupt (SCI), soft-off, general-purpose I/O, and an SMBus host to whose
 * addresses nothing answers.
 *
 * Not modelled: device traps and idle timers (registers are kept), sleep states other than soft-off, SMI, clock control
 * (PLVL2 and PLVL3 read 0 and do not stop the processor), the SMBus slave. Soft-off takes place when SUS_EN is written;
 * the chip also waits for a stop-grant cycle, which a MIPS processor does not make by itself.
 */
import {
  ConfigSpace,
  configDecoder,
  configSpaceState,
  MaskedRegisters,
  PCI_IO_SPACE,
  pciCommand,
  pciStatus,
} from '../pci/mod.ts'
import {
  type AccessSize,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  field,
  hex,
  NEVER,
  type Payload,
  Rate,
  type Region,
  StateLayout,
  type Vt,
} from '../sdk/mod.ts'
import {
  PM_BYTES,
  PMCNTRL,
  PMEN,
  PMSTS,
  PMTMR,
  pmConfig,
  pmConfigRegisters,
  pmControl,
  pmRegisters,
  pmStatus,
} from './power-registers.ts'
import { SMBUS_BYTES, smbusRegisters, smbusWritten } from './smbus.ts'

/** Region numbers. */
const CONFIG = 0
const PM = 1
const SMBUS = 2

const definition = {
  vendorId: 0x8086,
  deviceId: 0x7113,
  revisionId: 0x03,
  classCode: 0x068000,
  status: pciStatus.FAST_BACK_TO_BACK | pciStatus.DEVSEL_MEDIUM,
  commandWritable: pciCommand.IO_SPACE | pciCommand.SPECIAL_CYCLES,
  interruptPin: 1,
  registers: pmConfigRegisters,
} as const

/** The ACPI timer: 14.31818 MHz / 4, 24 bits wide. TMROF_STS is set each time bit 23 changes. */
const pmTimer = new Rate(3_579_545)
const TIMER_MODULUS = 2 ** 24
const TICKS_PER_OVERFLOW = 2 ** 23

const layout = new StateLayout('piix4-pm', {
  config: configSpaceState,
  pm: field.bytes(PM_BYTES, true),
  smbus: field.bytes(SMBUS_BYTES, true),
  clearedOverflow: field.vt(),
  bases: field.record({ pm: field.whole(-1, 0xffff), smbus: field.whole(-1, 0xffff) }),
})

class PowerManagement implements Device {
  readonly #config = new ConfigSpace(definition)
  readonly #pm = new MaskedRegisters(PM_BYTES, pmRegisters)
  readonly #smbus = new MaskedRegisters(SMBUS_BYTES, smbusRegisters)
  /** Number of timer overflows since power-on at which TMROF_STS was last cleared. */
  #clearedOverflow = 0
  /** Where the two register blocks are mapped, or -1. */
  #bases = { pm: -1, smbus: -1 }

  reset(io: DeviceIo): void {
    this.#config.reset(io)
    this.#pm.reset()
    this.#smbus.reset()
    this.#clearedOverflow = overflowsAt(io.now)
    this.#updateMaps(io)
    this.#updateInterrupt(io)
  }

  read(region: number, offset: number, size: AccessSize, io: DeviceIo): number {
    if (region === CONFIG || region === SMBUS) {
      io.validUntil(NEVER)
      return (region === CONFIG ? this.#config : this.#smbus).read(offset, size)
    }
    this.#refresh(io.now)
    io.validUntil(this.#pmValidUntil(offset, size, io.now))
    return this.#pm.read(offset, size)
  }

  write(region: number, offset: number, size: AccessSize, value: number, io: DeviceIo): void {
    if (region === CONFIG) {
      this.#config.write(offset, size, value, io)
      this.#updateMaps(io)
    } else if (region === SMBUS) {
      this.#smbus.write(offset, size, value)
      smbusWritten(this.#smbus, offset, size)
    } else {
      this.#writePm(offset, size, value, io)
    }
  }

  event(io: DeviceIo): void {
    this.#updateInterrupt(io)
  }

  save(): DeviceState {
    return layout.save({
      config: this.#config.save(),
      pm: this.#pm.save(),
      smbus: this.#smbus.save(),
      clearedOverflow: this.#clearedOverflow,
      bases: this.#bases,
    })
  }

  restore(state: DeviceState): void {
    const fields = layout.restore(state)
    this.#config.restore(fields.config)
    this.#pm.restore(fields.pm)
    this.#smbus.restore(fields.smbus)
    this.#clearedOverflow = fields.clearedOverflow
    this.#bases = fields.bases
  }

  #writePm(offset: number, size: AccessSize, value: number, io: DeviceIo): void {
    this.#refresh(io.now)
    this.#pm.write(offset, size, value)
    if ((this.#pm.read(PMSTS, 2) & pmStatus.TMROF_STS) === 0) this.#clearedOverflow = overflowsAt(io.now)
    this.#suspend(io)
    this.#updateInterrupt(io)
  }

  /** SUS_EN starts what SUS_TYP names, and reads 0. */
  #suspend(io: DeviceIo): void {
    const control = this.#pm.read(PMCNTRL, 2)
    if ((control & pmControl.SUS_EN) === 0) return
    this.#pm.put(PMCNTRL, 2, control & ~pmControl.SUS_EN)
    const type = (control & pmControl.SUS_TYP) >>> pmControl.SUS_TYP_SHIFT
    if (type === pmControl.SUS_TYP_SOFT_OFF) io.output(new TextEncoder().encode('off'))
    else io.unhandled(`suspend of type ${type} asked for in PMCNTRL`)
  }

  /** Brings PMTMR and TMROF_STS up to `vt`. */
  #refresh(vt: Vt): void {
    this.#pm.put(PMTMR, 4, pmTimer.ticksAt(vt) % TIMER_MODULUS)
    if (overflowsAt(vt) > this.#clearedOverflow) this.#pm.put(PMSTS, 2, this.#pm.read(PMSTS, 2) | pmStatus.TMROF_STS)
  }

  #pmValidUntil(offset: number, size: AccessSize, vt: Vt): Vt {
    const covers = (at: number, bytes: number) => offset < at + bytes && offset + size > at
    if (covers(PMTMR, 3)) return pmTimer.vtOf(pmTimer.ticksAt(vt) + 1)
    return covers(PMSTS, 1) ? this.#nextOverflow() : NEVER
  }

  /** When TMROF_STS will be set, or `NEVER` while it is. Call `refresh` before. */
  #nextOverflow(): Vt {
    if (this.#pm.read(PMSTS, 2) & pmStatus.TMROF_STS) return NEVER
    return pmTimer.vtOf((this.#clearedOverflow + 1) * TICKS_PER_OVERFLOW)
  }

  /** Derives SCI, and sets the timer where the ACPI timer will raise it. */
  #updateInterrupt(io: DeviceIo): void {
    this.#refresh(io.now)
    const enabled = (this.#pm.read(PMCNTRL, 2) & pmControl.SCI_EN) !== 0
    const enables = this.#pm.read(PMEN, 2)
    io.line('sci', enabled && (this.#pm.read(PMSTS, 2) & enables) !== 0)
    io.timer(enabled && enables & pmStatus.TMROF_STS ? this.#nextOverflow() : NEVER)
  }

  /** Both blocks decode only while I/O is enabled and their own enable bit is set. */
  #updateMaps(io: DeviceIo): void {
    const ioEnabled = (this.#config.command & pciCommand.IO_SPACE) !== 0
    const pmEnabled = (this.#config.read(pmConfig.PMREGMISC, 1) & pmConfig.PMREGMISC_PMIOSE) !== 0
    const smbusEnabled = (this.#config.read(pmConfig.SMBHSTCFG, 1) & pmConfig.SMBHSTCFG_SMB_HST_EN) !== 0
    const pmBase = this.#config.read(pmConfig.PMBA, 2) & pmConfig.PMBA_ADDRESS
    const smbusBase = this.#config.read(pmConfig.SMBBA, 2) & pmConfig.SMBBA_ADDRESS
    this.#bases = {
      pm: mapBlock(io, PM, this.#bases.pm, pmEnabled && pmBase !== 0 ? pmBase : -1),
      smbus: mapBlock(io, SMBUS, this.#bases.smbus, ioEnabled && smbusEnabled && smbusBase !== 0 ? smbusBase : -1),
    }
  }
}

/** Moves a block from `from` to `to` (-1: nowhere); gives where it is now. */
function mapBlock(io: DeviceIo, region: number, from: number, to: number): number {
  if (from !== to) io.map(region, PCI_IO_SPACE, Math.max(to, 0), to < 0 ? 'off' : 'registers')
  return to
}

function overflowsAt(vt: Vt): number {
  return Math.floor(pmTimer.ticksAt(vt) / TICKS_PER_OVERFLOW)
}

const regions: readonly Region[] = [
  { kind: 'registers', name: 'config', size: 256, endian: 'little' },
  { kind: 'registers', name: 'pm', size: PM_BYTES, endian: 'little' },
  { kind: 'registers', name: 'smbus', size: SMBUS_BYTES, endian: 'little' },
]

function decoder(): (payload: Payload) => string | undefined {
  const words = (value: number) => hex(value, 4)
  return configDecoder(CONFIG, pmConfigRegisters, (region, offset) => {
    const table = region === PM ? pmRegisters : smbusRegisters
    const row = table.find((r) => offset >= r.offset && offset < r.offset + r.size)
    return { register: row?.name ?? `reserved ${hex(offset)}`, words }
  })
}

/** Function 3. Output `sci` is the ISA interrupt 9; its output `off` turns the machine off. */
export const piix4Pm: DeviceModel<Record<string, never>> = {
  type: 'piix4-pm',
  stateVersion: 1,
  regions: () => regions,
  inputs: [],
  outputs: ['sci'],
  create: () => new PowerManagement(),
  decoder,
}
