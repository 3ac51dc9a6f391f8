/**
 * What tests import, and nothing else does: a driver's view of the PIIX4's channels, by register accesses alone.
 */
import { DeviceBench } from '../../bus/testing.ts'
import { type IdeDrive, piix4Ide } from './mod.ts'

export const SECTOR = 512
/** The number of the first drive's storage region. */
export const STORAGE = 6
export const [BSY, DRDY, DSC, DRQ, ERR] = [0x80, 0x40, 0x10, 0x08, 0x01]
export const READY = DRDY | DSC
export const [IDNF, ABRT] = [0x10, 0x04]
export const MILLISECOND = 1_000_000

/** A sector's bytes tell which it is. */
export const sectorBytes = (sector: number) =>
  Buffer.alloc(SECTOR, Uint8Array.of(sector & 0xff, (sector >> 8) & 0xff, 0x5a))

/** A driver's view of the primary channel, unless told otherwise. */
export class Driver {
  readonly ide: DeviceBench<{ drives: readonly IdeDrive[] }>
  channel = 'primary'

  constructor(drives: readonly IdeDrive[], restored?: Driver) {
    this.ide = new DeviceBench(piix4Ide, { drives }, {}, restored?.ide.save())
    if (restored !== undefined) {
      this.ide.memory.set(restored.ide.memory)
      for (const [region, bytes] of restored.ide.ownMemory) this.ide.ownMemory.get(region)!.set(bytes)
      this.ide.advanceTo(restored.ide.now)
    } else {
      for (const bytes of this.ide.ownMemory.values()) {
        for (let sector = 0; sector * SECTOR < bytes.length; sector++) bytes.set(sectorBytes(sector), sector * SECTOR)
      }
      // Both channels decode, and the bus master may use the bus.
      this.ide.write('config', 0x41, 0x80)
      this.ide.write('config', 0x43, 0x80)
      this.ide.write('config', 4, 5, 2)
    }
  }

  get disk(): Uint8Array {
    return this.ide.ownMemory.get(STORAGE)!
  }

  onDisk(sector: number, count = 1): Buffer {
    return Buffer.from(this.disk.slice(sector * SECTOR, (sector + count) * SECTOR))
  }

  get irq(): 0 | 1 {
    return this.ide.line(this.channel === 'primary' ? 'irq14' : 'irq15')
  }

  put(offset: number, value: number): void {
    this.ide.write(`${this.channel}-command`, offset, value)
  }

  get(offset: number): number {
    return this.ide.read(`${this.channel}-command`, offset)
  }

  get alternate(): number {
    return this.ide.read(`${this.channel}-control`, 0)
  }

  control(value: number): void {
    this.ide.write(`${this.channel}-control`, 0, value)
  }

  /** Of 28 bits. */
  command(opcode: number, lba = 0, count = 0, device = 0): void {
    this.put(2, count & 0xff)
    this.put(3, lba & 0xff)
    this.put(4, (lba >> 8) & 0xff)
    this.put(5, (lba >> 16) & 0xff)
    this.put(6, 0xe0 | (device << 4) | (lba >> 24))
    this.put(7, opcode)
  }

  /** Of 48 bits. */
  extended(opcode: number, lba: number, count: number): void {
    this.put(2, count >> 8)
    for (const [i, shift] of [24, 32, 40].entries()) this.put(3 + i, Math.floor(lba / 2 ** shift) & 0xff)
    this.put(2, count & 0xff)
    for (const [i, shift] of [0, 8, 16].entries()) this.put(3 + i, Math.floor(lba / 2 ** shift) & 0xff)
    this.put(6, 0xe0)
    this.put(7, opcode)
  }

  /** Lets time pass until the drive is not busy. Gives its status, which acknowledges its interrupt. */
  wait(): number {
    for (let i = 0; (this.alternate & BSY) !== 0 && i < 1000; i++) this.ide.advance(MILLISECOND)
    return this.get(7)
  }

  readData(bytes: number, size: 2 | 4 = 2): Buffer {
    const data = Buffer.alloc(bytes)
    for (let at = 0; at < bytes; at += size) {
      data.writeUIntLE(this.ide.read(`${this.channel}-command`, 0, size), at, size)
    }
    return data
  }

  writeData(data: Buffer, size: 2 | 4 = 2): void {
    for (let at = 0; at < data.length; at += size) {
      this.ide.write(`${this.channel}-command`, 0, data.readUIntLE(at, size), size)
    }
  }

  /** Writes physical region descriptors at 0x100, the last of them marked, and points the bus master there. */
  descriptors(list: readonly [address: number, bytes: number][]): void {
    const memory = Buffer.from(this.ide.memory.buffer)
    for (const [i, [address, bytes]] of list.entries()) {
      memory.writeUInt32LE(address, 0x100 + 8 * i)
      memory.writeUInt16LE(bytes & 0xffff, 0x104 + 8 * i)
      memory.writeUInt16LE(i === list.length - 1 ? 0x8000 : 0, 0x106 + 8 * i)
    }
    this.ide.write('bus-master', 4, 0x100, 4)
  }

  get busMaster(): number {
    return this.ide.read('bus-master', 2)
  }

  startBusMaster(toMemory: boolean): void {
    this.ide.write('bus-master', 2, 0x06)
    this.ide.write('bus-master', 0, toMemory ? 0x09 : 0x01)
  }

  stopBusMaster(): void {
    this.ide.write('bus-master', 0, 0)
  }
}
