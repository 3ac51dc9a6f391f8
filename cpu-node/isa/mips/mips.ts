/**
 * A MIPS32 release 2 processor: a 24Kf with 64 TLB entries, UserLocal, and no MIPS16.
 *
 * "MIPS32 24K Processor Core Family Software User's Manual" (MD00343) for CP0; "MIPS32 Architecture For Programmers,
 * Volume III" (MD00090) for exceptions and the MMU. Not modelled: caches, EJTAG debug mode, performance counters, watch
 * registers, vectored interrupts through IntCtl.VS (Config3.VInt is 0), shadow register sets (there is one).
 */
import assert from 'node:assert/strict'
import { type Clock, NEVER, type Vt } from '../../../bus/mod.ts'
import type { Builder } from '../../ir/builder.ts'
import { swapBytes } from '../../swap-bytes.ts'
import {
  type AccessKind,
  type Execution,
  type FetchWindow,
  type Isa,
  type Helper as IsaHelper,
  isFixed,
} from '../isa.ts'
import { Fpu } from './fpu.ts'
import { Helper } from './helpers.ts'
import { lift } from './lift.ts'
import { loadLinked, storeConditional } from './linked-inline.ts'
import * as S from './state.ts'
import { Cause, Exception, REFILL, Status } from './state.ts'
import { ASID, INVALID, MISS, pageMaskWritten, TLB_BYTES, TLB_ENTRIES, Tlb, VPN2 } from './tlb.ts'

const RESET_VECTOR = 0xbfc0_0000 | 0
/** Status bits that software can write. */
const STATUS_WRITABLE = 0x3678_ff1f
const CAUSE_WRITABLE = Cause.IP_SOFTWARE | Cause.WP | Cause.IV | Cause.DC
/** Company 1 (MIPS), processor 0x93 (24K). */
const PRID = 0x0001_9300
/** R4000-style TLB, release 2, kseg0 cacheable; bit 15 is set for big endian. */
const CONFIG = 0x8000_0482 | 0
/** 64 TLB entries; 2 KiB two-way caches of 16-byte lines, as QEMU's 24Kf reports; FPU. */
const CONFIG1 = 0x8000_0000 | ((TLB_ENTRIES - 1) << 25) | (3 << 19) | (1 << 16) | (3 << 10) | (1 << 7) | 1
const CONFIG2 = 0x8000_0000 | 0
/** ULRI: there is a UserLocal register. */
const CONFIG3 = 1 << 13
/** IPTI: the timer interrupts on IP7. */
const INT_CTL = 7 << 29
const EBASE_RESET = 0x8000_0000 | 0
/** Bytes that SYNCI must step by. */
const SYNCI_STEP_BYTES = 32
/** Count advances every second instruction's time, as RDHWR's CCRes says. */
const COUNT_RESOLUTION = 2
const COUNT_PERIOD = 2 ** 32
const RAM_HELPERS = [
  [Helper.loadLinked, loadLinked],
  [Helper.storeConditional, storeConditional],
] as const
/** What of its own address J and JAL keep. */
const SEGMENT = 0xf000_0000 | 0
const LAST_PAGE_OF_SEGMENT = 0x0fff_f000
/** Status.KSU of supervisor mode. */
const SUPERVISOR = 1 << 3

export class Mips implements Isa {
  readonly name = 'mips'
  readonly pcOffset = S.PC
  readonly stateBytes = S.STATE_BYTES
  readonly codeShift = 2
  readonly layout = { pc: S.PC, registerBytes: S.PC }
  /** kseg0 and kseg1, for the kernel. */
  readonly fixed = { mask: 0xc000_0000 | 0, value: 0x8000_0000 | 0, contextMask: 8 }
  /** kseg0. */
  readonly direct = { address: 0x8000_0000 | 0, physical: 0, bytes: 0x2000_0000 }
  readonly bigEndian: boolean
  readonly tlbBytes = TLB_BYTES
  readonly helpers: Isa['helpers']
  readonly ramHelpers: Isa['ramHelpers']
  timerDue: Vt = NEVER
  readonly #x: Execution
  readonly #s: Int32Array
  readonly #tlb: Tlb
  readonly #fpu: Fpu
  readonly #countNs: number
  #context = 0
  /** What `context` does not tell apart: ERL, and user from supervisor mode. */
  #regime = 0
  #lines = 0

  constructor(execution: Execution, clock: Clock, endian: 'little' | 'big') {
    this.#x = execution
    this.#s = execution.state
    this.#tlb = new Tlb(execution.tlb)
    this.#fpu = new Fpu(execution.state)
    this.bigEndian = endian === 'big'
    this.#countNs = clock.nsPerInstruction * COUNT_RESOLUTION
    this.helpers = this.#makeHelpers()
    // They take words as they are in memory.
    this.ramHelpers = new Map(this.bigEndian ? [] : RAM_HELPERS)
    this.reset()
  }

  #get(offset: number): number {
    return this.#s[offset >> 2]!
  }

  #set(offset: number, value: number): void {
    this.#s[offset >> 2] = value
  }

  reset(): void {
    this.#s.fill(0, 0, S.STATE_BYTES / 4)
    this.#x.tlb.fill(0)
    this.#tlb.forgetFound()
    // Entries that can match nothing: each its own page of kseg0, which is never looked up.
    for (let index = 0; index < TLB_ENTRIES; index++) {
      this.#tlb.write(index, (0x8000_0000 + index * 0x2000) | 0, 0, 0, 0)
    }
    this.#set(S.PC, RESET_VECTOR)
    this.#set(S.STATUS, Status.ERL | Status.BEV)
    this.#set(S.INT_CTL, INT_CTL)
    this.#set(S.PRID, PRID)
    this.#set(S.EBASE, EBASE_RESET)
    this.#set(S.CONFIG, CONFIG | (this.bigEndian ? 1 << 15 : 0))
    this.#set(S.CONFIG1, CONFIG1)
    this.#set(S.CONFIG2, CONFIG2)
    this.#set(S.CONFIG3, CONFIG3)
    this.#lines = 0
    this.timerDue = NEVER
    this.#x.forgetCode()
    this.#statusChanged()
  }

  // --- Modes and address spaces -------------------------------------------------------------------------------------

  #isKernelMode(): boolean {
    const status = this.#get(S.STATUS)
    return (status & (Status.EXL | Status.ERL)) !== 0 || (status & Status.KSU) === 0
  }

  /** Bits 4 to 11: the ASID; bit 3: not kernel mode. */
  context(): number {
    return this.#context
  }

  /** Derives everything that follows from Status and EntryHi.ASID. */
  #statusChanged(): void {
    const status = this.#get(S.STATUS)
    const kernel = this.#isKernelMode()
    this.#set(S.COP0_UNUSABLE, kernel || (status & Status.CU0) !== 0 ? 0 : 1)
    this.#set(S.COP1_UNUSABLE, (status & Status.CU1) !== 0 ? 0 : 1)
    this.#fpu.configure((status & Status.FR) !== 0)
    this.#context = ((this.#get(S.ENTRY_HI) & ASID) << 4) | (kernel ? 0 : 8)
    const regime = (status & Status.ERL) | (kernel ? 0 : status & Status.KSU)
    if (regime !== this.#regime && (regime | this.#regime) & (Status.ERL | SUPERVISOR)) {
      this.#x.forgetTranslations(0, 2 ** 32)
    }
    this.#regime = regime
  }

  translate(address: number, kind: AccessKind): number {
    const unsigned = address >>> 0
    const status = this.#get(S.STATUS)
    if (kind === 'fetch' && (address & 3) !== 0) {
      this.misaligned(address, kind)
      return -1
    }
    if (unsigned < 0x8000_0000) {
      if ((status & Status.ERL) !== 0) return unsigned
      return this.#translateMapped(unsigned, kind)
    }
    if (!this.#isKernelMode()) {
      const supervisor = (status & Status.KSU) === SUPERVISOR
      if (supervisor && unsigned >= 0xc000_0000 && unsigned < 0xe000_0000) return this.#translateMapped(unsigned, kind)
      this.#fault(kind === 'write' ? Exception.AdES : Exception.AdEL, address)
      return -1
    }
    if (unsigned < 0xc000_0000) return unsigned & 0x1fff_ffff
    return this.#translateMapped(unsigned, kind)
  }

  #translateMapped(address: number, kind: AccessKind): number {
    const asid = this.#get(S.ENTRY_HI) & ASID
    const result = this.#tlb.translate(address, asid, kind === 'write')
    if (result >= 0) return result
    const miss = kind === 'write' ? Exception.TLBS : Exception.TLBL
    if (result === MISS) this.#fault(miss | REFILL, address)
    else if (result === INVALID) this.#fault(miss, address)
    else this.#fault(Exception.Mod, address)
    return -1
  }

  #fault(code: number, address: number): void {
    const { trap } = this.#x
    trap.pending = true
    trap.code = code
    trap.address = address
  }

  misaligned(address: number, kind: AccessKind): void {
    this.#fault(kind === 'write' ? Exception.AdES : Exception.AdEL, address)
  }

  busError(address: number, kind: AccessKind): void {
    this.#fault(kind === 'fetch' ? Exception.IBE : Exception.DBE, address)
  }

  // --- Code ---------------------------------------------------------------------------------------------------------

  get midInstruction(): boolean {
    return this.#get(S.IN_DELAY_SLOT) !== 0
  }

  get codeTag(): number {
    return (this.#get(S.STATUS) & Status.FR) !== 0 ? 1 : 0
  }

  codeFlags(address: number): number {
    const fr = this.#get(S.STATUS) & Status.FR
    return this.isRelative(address) ? fr | (address & SEGMENT) : fr
  }

  /** Code in kseg0 and kseg1 stays where it is. A J in a segment's last page may be in the next, by its delay slot. */
  isRelative(address: number): boolean {
    return !isFixed(this.fixed, address) && (address & LAST_PAGE_OF_SEGMENT) !== LAST_PAGE_OF_SEGMENT
  }

  lift(builder: Builder, window: FetchWindow, pc: number, maxInstructions: number, exact: boolean): void {
    lift(builder, window, pc, maxInstructions, {
      bigEndian: this.bigEndian,
      fr: (window.flags & Status.FR) !== 0,
      fixed: window.relativeTo === undefined && isFixed(this.fixed, pc),
      inDelaySlot: this.midInstruction,
      exact,
    })
  }

  // --- Exceptions and interrupts ------------------------------------------------------------------------------------

  takeTrap(pc: number, delaySlot: boolean): void {
    const { trap } = this.#x
    trap.pending = false
    const code = trap.code & 0x1f
    if (code === Exception.CpU) {
      this.#set(S.CAUSE, (this.#get(S.CAUSE) & ~Cause.CE) | (((trap.code >>> 8) & 3) << 28))
    }
    const hasAddress = code >= Exception.Mod && code <= Exception.AdES
    if (hasAddress) this.#set(S.BAD_VADDR, trap.address)
    if (hasAddress && code <= Exception.TLBS) {
      const vpn = trap.address & VPN2
      this.#set(S.ENTRY_HI, (this.#get(S.ENTRY_HI) & ASID) | vpn)
      this.#set(S.CONTEXT, (this.#get(S.CONTEXT) & 0xff80_0000) | ((vpn >>> 9) & 0x007f_fff0))
    }
    const refill = (trap.code & REFILL) !== 0 && (this.#get(S.STATUS) & Status.EXL) === 0
    this.#enter(code, refill ? 0 : 0x180, pc, delaySlot)
  }

  #enter(code: number, vector: number, pc: number, delaySlot: boolean): void {
    const status = this.#get(S.STATUS)
    let cause = (this.#get(S.CAUSE) & ~Cause.EXC_CODE) | (code << 2)
    if ((status & Status.EXL) === 0) {
      this.#set(S.EPC, delaySlot ? (pc - 4) | 0 : pc)
      cause = delaySlot ? cause | Cause.BD : cause & ~Cause.BD
    }
    this.#set(S.CAUSE, cause)
    this.#set(S.STATUS, status | Status.EXL)
    const base = (status & Status.BEV) !== 0 ? 0xbfc0_0200 : this.#get(S.EBASE) & ~0xfff
    this.#set(S.PC, (base + vector) | 0)
    this.#set(S.IN_DELAY_SLOT, 0)
    this.#set(S.BRANCH_TARGET, 0)
    this.#set(S.WAITING, 0)
    this.#statusChanged()
  }

  #isInterruptReady(): boolean {
    const status = this.#get(S.STATUS)
    if ((status & (Status.IE | Status.EXL | Status.ERL)) !== Status.IE) return false
    return (this.#get(S.CAUSE) & status & Cause.IP) !== 0
  }

  takeInterrupt(): boolean {
    if (!this.#isInterruptReady()) return false
    const vector = (this.#get(S.CAUSE) & Cause.IV) !== 0 ? 0x200 : 0x180
    this.#enter(Exception.Int, vector, this.#get(S.PC), this.midInstruction)
    return true
  }

  get idle(): boolean {
    return this.#get(S.WAITING) !== 0
  }

  setLine(wire: number, level: 0 | 1): void {
    assert(wire >= 2 && wire <= 7, 'hardware interrupts are Cause.IP2 to IP7')
    this.#lines = level === 1 ? this.#lines | (1 << wire) : this.#lines & ~(1 << wire)
    this.#linesChanged()
  }

  #linesChanged(): void {
    const cause = this.#get(S.CAUSE) & ~(Cause.IP & ~Cause.IP_SOFTWARE)
    const timer = (cause & Cause.TI) !== 0 ? Cause.IP7 : 0
    this.#set(S.CAUSE, cause | (this.#lines << 8) | timer)
    this.#x.breakAfterInstruction()
  }

  // --- Count and Compare --------------------------------------------------------------------------------------------

  #ticks(now: Vt): number {
    return Math.floor(now / this.#countNs)
  }

  #isCountStopped(): boolean {
    return (this.#get(S.CAUSE) & Cause.DC) !== 0
  }

  #count(now: Vt): number {
    const kept = this.#get(S.COUNT)
    return this.#isCountStopped() ? kept : (kept + (this.#ticks(now) % COUNT_PERIOD)) | 0
  }

  #setCount(value: number, now: Vt): void {
    this.#set(S.COUNT, this.#isCountStopped() ? value : (value - (this.#ticks(now) % COUNT_PERIOD)) | 0)
  }

  /**
   * Sets when Count next becomes equal to Compare. If it is equal already, that is a full round away: Linux tries the
   * timer by writing to Compare what it just read from Count, and expects the interrupt to go away.
   */
  #setTimer(now: Vt): void {
    const wait = (this.#get(S.COMPARE) - this.#count(now)) >>> 0 || COUNT_PERIOD
    this.timerDue = this.#isCountStopped() ? NEVER : (this.#ticks(now) + wait) * this.#countNs
    this.#x.breakAfterInstruction()
  }

  updateTimer(now: Vt): void {
    if (now < this.timerDue) return
    this.timerDue += COUNT_PERIOD * this.#countNs
    this.#set(S.CAUSE, this.#get(S.CAUSE) | Cause.TI)
    this.#linesChanged()
  }

  // --- Helpers of lifted code ---------------------------------------------------------------------------------------

  #makeHelpers(): Isa['helpers'] {
    const table: Record<keyof typeof Helper, IsaHelper> = {
      loadLinked: (address) => this.#loadLinked(address),
      storeConditional: (address, value) => this.#storeConditional(address, value),
      readCp0: (register) => this.#readCp0(register),
      writeCp0: (register, value) => this.#writeCp0(register, value),
      readHardware: (register) => this.#readHardware(register),
      tlbRead: () => this.#tlbRead(),
      tlbWriteIndexed: () => this.#tlbWrite(this.#get(S.INDEX) & (TLB_ENTRIES - 1)),
      tlbWriteRandom: () => this.#tlbWrite(this.#random()),
      tlbProbe: () => this.#tlbProbe(),
      exceptionReturn: () => this.#exceptionReturn(),
      wait: () => this.#set(S.WAITING, 1),
      readFpuControl: (register) => this.#fpu.readControl(register),
      writeFpuControl: (register, value) => this.#writeFpuControl(register, value),
      float: (number, d, s, t, r) => {
        if (!this.#fpu.run(number, d, s, t, r)) this.#fault(Exception.FPE, 0)
      },
    }
    const helpers: IsaHelper[] = []
    for (const [name, number] of Object.entries(Helper)) helpers[number] = table[name as keyof typeof Helper]
    return helpers
  }

  #inGuestOrder(word: number): number {
    return this.bigEndian ? swapBytes(word) : word
  }

  #loadLinked(address: number): number {
    const word = this.#x.load(address, 32)
    if (this.#x.trap.pending) return 0
    this.#set(S.LL_BIT, 1)
    this.#set(S.LL_ADDR, this.#x.physicalAddress(address, 'read') >>> 4)
    return this.#inGuestOrder(word)
  }

  #storeConditional(address: number, value: number): number {
    if ((address & 3) !== 0) {
      this.misaligned(address, 'write')
      return 0
    }
    const linked = this.#get(S.LL_BIT)
    if (linked === 0) {
      // The address is translated all the same: a page that can't be written faults whether or not the store is done.
      this.#x.physicalAddress(address, 'write')
      return 0
    }
    this.#x.store(address, 32, this.#inGuestOrder(value))
    if (this.#x.trap.pending) return 0
    this.#set(S.LL_BIT, 0)
    return 1
  }

  /** Random counts down with icount from the top entry to the first that is not wired: the same wherever it is run. */
  #random(): number {
    const wired = this.#get(S.WIRED)
    return TLB_ENTRIES - 1 - (this.#x.icount % (TLB_ENTRIES - wired))
  }

  #readCp0(register: number): number {
    switch (4 * register + S.cp0(0)) {
      case S.RANDOM:
        return this.#random()
      case S.COUNT:
        return this.#count(this.#x.now)
      case S.LL_ADDR:
        return this.#get(S.LL_ADDR)
      default:
        // Registers that this processor does not have, or that are not modelled, read as 0.
        return 0
    }
  }

  /** Whether mode, mapping, interrupts or the timer are to be looked at after this. */
  #writeCp0(register: number, value: number): 0 | 1 {
    const now = this.#x.now
    switch (4 * register + S.cp0(0)) {
      case S.INDEX:
        this.#set(S.INDEX, (this.#get(S.INDEX) & 0x8000_0000) | (value & (TLB_ENTRIES - 1)))
        return 0
      case S.CONTEXT:
        this.#set(S.CONTEXT, (this.#get(S.CONTEXT) & 0x007f_ffff) | (value & 0xff80_0000))
        return 0
      case S.PAGE_MASK:
        this.#set(S.PAGE_MASK, pageMaskWritten(value))
        return 0
      case S.WIRED:
        this.#set(S.WIRED, (value & (TLB_ENTRIES - 1)) % TLB_ENTRIES)
        return 0
      case S.HWRENA:
        this.#set(S.HWRENA, value & 0x2000_000f)
        return 0
      case S.COUNT:
        this.#setCount(value, now)
        this.#setTimer(now)
        return 1
      case S.ENTRY_HI:
        return this.#writeEntryHi(value)
      case S.COMPARE:
        this.#set(S.COMPARE, value)
        this.#set(S.CAUSE, this.#get(S.CAUSE) & ~Cause.TI)
        this.#linesChanged()
        this.#setTimer(now)
        return 1
      case S.STATUS:
        return this.#writeStatus(value)
      case S.CAUSE:
        return this.#writeCause(value, now)
      case S.EBASE:
        this.#set(S.EBASE, 0x8000_0000 | (value & 0x3fff_f000))
        return 0
      case S.CONFIG:
        this.#set(S.CONFIG, (this.#get(S.CONFIG) & ~7) | (value & 7))
        return 0
      default:
        // Read-only, not there, or not modelled (caches' tags, watch and performance registers): nothing to keep.
        return 0
    }
  }

  #writeEntryHi(value: number): 0 | 1 {
    const before = this.#context
    this.#set(S.ENTRY_HI, value & (VPN2 | ASID))
    this.#statusChanged()
    return this.#context === before ? 0 : 1
  }

  /** Interrupt enables matter where one is pending, all else of Status at once. */
  #writeStatus(value: number): 0 | 1 {
    const before = this.#get(S.STATUS)
    const status = (before & ~STATUS_WRITABLE) | (value & STATUS_WRITABLE)
    this.#set(S.STATUS, status)
    const changed = before ^ status
    if ((changed & ~(Status.IE | Status.IM)) === 0) return this.#isInterruptReady() ? 1 : 0
    this.#statusChanged()
    return 1
  }

  #writeCause(value: number, now: Vt): 0 | 1 {
    const before = this.#get(S.CAUSE)
    const count = this.#count(now)
    this.#set(S.CAUSE, (before & ~CAUSE_WRITABLE) | (value & CAUSE_WRITABLE))
    if (((before ^ value) & Cause.DC) === 0) return this.#isInterruptReady() ? 1 : 0
    this.#setCount(count, now)
    this.#setTimer(now)
    return 1
  }

  #readHardware(register: number): number {
    const allowed = this.#get(S.COP0_UNUSABLE) === 0 || ((this.#get(S.HWRENA) >>> register) & 1) === 1
    if (allowed) {
      switch (register) {
        case 0:
          return this.#get(S.EBASE) & 0x3ff
        case 1:
          return SYNCI_STEP_BYTES
        case 2:
          return this.#count(this.#x.now)
        case 3:
          return COUNT_RESOLUTION
        case 29:
          return this.#get(S.USER_LOCAL)
      }
    }
    this.#fault(Exception.RI, 0)
    return 0
  }

  #tlbRead(): void {
    const entry = this.#tlb.read(this.#get(S.INDEX) & (TLB_ENTRIES - 1))
    this.#set(S.ENTRY_HI, entry.entryHi)
    this.#set(S.PAGE_MASK, entry.pageMask)
    this.#set(S.ENTRY_LO0, entry.entryLo0)
    this.#set(S.ENTRY_LO1, entry.entryLo1)
    this.#statusChanged()
  }

  #tlbWrite(index: number): void {
    const before = this.#tlb.range(index)
    const mask = this.#get(S.PAGE_MASK)
    this.#tlb.write(index, this.#get(S.ENTRY_HI), mask, this.#get(S.ENTRY_LO0), this.#get(S.ENTRY_LO1))
    const after = this.#tlb.range(index)
    this.#x.forgetTranslations(before.address, before.length)
    if (after.address !== before.address || after.length !== before.length) {
      this.#x.forgetTranslations(after.address, after.length)
    }
  }

  #tlbProbe(): void {
    const entryHi = this.#get(S.ENTRY_HI)
    const found = this.#tlb.find(entryHi, entryHi & ASID)
    this.#set(S.INDEX, found < 0 ? 0x8000_0000 | 0 : found)
  }

  #exceptionReturn(): void {
    const status = this.#get(S.STATUS)
    if ((status & Status.ERL) !== 0) {
      this.#set(S.PC, this.#get(S.ERROR_EPC))
      this.#set(S.STATUS, status & ~Status.ERL)
    } else {
      this.#set(S.PC, this.#get(S.EPC))
      this.#set(S.STATUS, status & ~Status.EXL)
    }
    this.#set(S.LL_BIT, 0)
    this.#statusChanged()
  }

  #writeFpuControl(register: number, value: number): void {
    const quiet = this.#fpu.writeControl(register, value)
    this.#fpu.configure((this.#get(S.STATUS) & Status.FR) !== 0)
    if (!quiet) this.#fault(Exception.FPE, 0)
  }

  // --- State --------------------------------------------------------------------------------------------------------

  save(): Record<string, unknown> {
    return { lines: this.#lines, timerDue: this.timerDue }
  }

  restore(state: Record<string, unknown>): void {
    const { lines, timerDue } = state
    assert(typeof lines === 'number' && typeof timerDue === 'number')
    this.#lines = lines
    this.timerDue = timerDue
    this.#tlb.forgetFound()
    this.#x.forgetCode()
    this.#statusChanged()
  }
}
