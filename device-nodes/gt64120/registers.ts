/**
 * The GT-64120's internal registers as a table: datasheet name, offset, value after reset, bits a guest can change.
 *
 * Galileo GT-64120 System Controller datasheet, revision 1.4, section 19 ("Register Tables"). Registers of PCI_1, the
 * DMA engines and the SDRAM controller are kept and read back; nothing follows from them (see gt64120.ts).
 */

export interface GtRegister {
  name: string
  offset: number
  reset: number
  writable: number
}

/** Address bits 35:21, a decoder's low boundary. */
const LOW = 0x7fff
/** Address bits 27:21, a decoder's high boundary. */
const HIGH = 0x7f
/** PCI address bits 31:21. */
const REMAP = 0x7ff
const ALL = 0xffffffff

type Row = readonly [name: string, offset: number, reset: number, writable: number]

const CPU_INTERFACE: readonly Row[] = [
  ['CPU Interface Configuration', 0x000, 0x00000000, ALL],
  ['SCS[1:0]* Low Decode Address', 0x008, 0x0000, LOW],
  ['SCS[1:0]* High Decode Address', 0x010, 0x07, HIGH],
  ['SCS[3:2]* Low Decode Address', 0x018, 0x0008, LOW],
  ['SCS[3:2]* High Decode Address', 0x020, 0x0f, HIGH],
  ['CS[2:0]* Low Decode Address', 0x028, 0x00e0, LOW],
  ['CS[2:0]* High Decode Address', 0x030, 0x70, HIGH],
  ['CS[3]* & Boot CS* Low Decode Address', 0x038, 0x00f8, LOW],
  ['CS[3]* & Boot CS* High Decode Address', 0x040, 0x7f, HIGH],
  ['PCI_0 I/O Low Decode Address', 0x048, 0x0080, LOW],
  ['PCI_0 I/O High Decode Address', 0x050, 0x0f, HIGH],
  ['PCI_0 Memory 0 Low Decode Address', 0x058, 0x0090, LOW],
  ['PCI_0 Memory 0 High Decode Address', 0x060, 0x1f, HIGH],
  ['Internal Space Decode', 0x068, 0x00a0, LOW],
  ['Bus Error Address Low', 0x070, 0, 0],
  ['Bus Error Address High', 0x078, 0, 0],
  ['PCI_0 Memory 1 Low Decode Address', 0x080, 0x0790, LOW],
  ['PCI_0 Memory 1 High Decode Address', 0x088, 0x1f, HIGH],
  ['PCI_1 I/O Low Decode Address', 0x090, 0x0100, LOW],
  ['PCI_1 I/O High Decode Address', 0x098, 0x0f, HIGH],
  ['PCI_1 Memory 0 Low Decode Address', 0x0a0, 0x0110, LOW],
  ['PCI_1 Memory 0 High Decode Address', 0x0a8, 0x1f, HIGH],
  ['PCI_1 Memory 1 Low Decode Address', 0x0b0, 0x0120, LOW],
  ['PCI_1 Memory 1 High Decode Address', 0x0b8, 0x2f, HIGH],
  ['PCI_0 Sync Barrier Virtual Register', 0x0c0, 0, 0],
  ['PCI_1 Sync Barrier Virtual Register', 0x0c8, 0, 0],
  ['SCS[1:0]* Address Remap', 0x0d0, 0x000, REMAP],
  ['SCS[3:2]* Address Remap', 0x0d8, 0x008, REMAP],
  ['CS[2:0]* Remap', 0x0e0, 0x0e0, REMAP],
  ['CS[3]* & Boot CS* Remap', 0x0e8, 0x0f8, REMAP],
  ['PCI_0 I/O Remap', 0x0f0, 0x080, REMAP],
  ['PCI_0 Memory 0 Remap', 0x0f8, 0x090, REMAP],
  ['PCI_0 Memory 1 Remap', 0x100, 0x790, REMAP],
  ['PCI_1 I/O Remap', 0x108, 0x100, REMAP],
  ['PCI_1 Memory 0 Remap', 0x110, 0x110, REMAP],
  ['PCI_1 Memory 1 Remap', 0x118, 0x120, REMAP],
  ['Multi-GT', 0x120, 0x3, 0],
  ['Bus Error Data Low', 0x128, ALL, 0],
  ['Bus Error Data High', 0x130, ALL, 0],
  ['Bus Error Parity', 0x138, 0xff, 0],
]

const MEMORY_AND_DEVICES: readonly Row[] = [
  ['SCS[0]* Low Decode Address', 0x400, 0x00, 0xff],
  ['SCS[0]* High Decode Address', 0x404, 0x07, 0xff],
  ['SCS[1]* Low Decode Address', 0x408, 0x08, 0xff],
  ['SCS[1]* High Decode Address', 0x40c, 0x0f, 0xff],
  ['SCS[2]* Low Decode Address', 0x410, 0x10, 0xff],
  ['SCS[2]* High Decode Address', 0x414, 0x17, 0xff],
  ['SCS[3]* Low Decode Address', 0x418, 0x18, 0xff],
  ['SCS[3]* High Decode Address', 0x41c, 0x1f, 0xff],
  ['CS[0]* Low Decode Address', 0x420, 0xc0, 0xff],
  ['CS[0]* High Decode Address', 0x424, 0xc7, 0xff],
  ['CS[1]* Low Decode Address', 0x428, 0xc8, 0xff],
  ['CS[1]* High Decode Address', 0x42c, 0xcf, 0xff],
  ['CS[2]* Low Decode Address', 0x430, 0xd0, 0xff],
  ['CS[2]* High Decode Address', 0x434, 0xdf, 0xff],
  ['CS[3]* Low Decode Address', 0x438, 0xf0, 0xff],
  ['CS[3]* High Decode Address', 0x43c, 0xfb, 0xff],
  ['Boot CS* Low Decode Address', 0x440, 0xfc, 0xff],
  ['Boot CS* High Decode Address', 0x444, 0xff, 0xff],
  ['SDRAM Configuration', 0x448, 0x00000200, ALL],
  ['SDRAM Bank0 Parameters', 0x44c, 0x5, ALL],
  ['SDRAM Bank1 Parameters', 0x450, 0x5, ALL],
  ['SDRAM Bank2 Parameters', 0x454, 0x5, ALL],
  ['SDRAM Bank3 Parameters', 0x458, 0x5, ALL],
  ['Device Bank0 Parameters', 0x45c, 0x386fffff, ALL],
  ['Device Bank1 Parameters', 0x460, 0x386fffff, ALL],
  ['Device Bank2 Parameters', 0x464, 0x386fffff, ALL],
  ['Device Bank3 Parameters', 0x468, 0x386fffff, ALL],
  ['Device Boot Bank Parameters', 0x46c, 0x146fffff, ALL],
  ['Address Decode Error', 0x470, ALL, ALL],
  ['SDRAM Operation Mode', 0x474, 0x0, 0x7],
  ['SDRAM Burst Mode', 0x478, 0x7, ALL],
  ['SDRAM Address Decode', 0x47c, 0x2, 0x7],
  ['ECC Upper Data', 0x480, 0, 0],
  ['ECC Lower Data', 0x484, 0, 0],
  ['ECC From Memory', 0x488, 0, 0],
  ['ECC Calculated', 0x48c, 0, 0],
  ['ECC Error Report', 0x490, 0, 0],
]

function dmaChannel(channel: number): Row[] {
  const at = 4 * channel
  return [
    [`Channel ${channel} DMA Byte Count`, 0x800 + at, 0, ALL],
    [`Channel ${channel} DMA Source Address`, 0x810 + at, 0, ALL],
    [`Channel ${channel} DMA Destination Address`, 0x820 + at, 0, ALL],
    [`Channel ${channel} Next Record Pointer`, 0x830 + at, 0, ALL],
    [`Channel ${channel} DMA Control`, 0x840 + at, 0, ALL],
    [`Channel ${channel} Current Descriptor Pointer`, 0x870 + at, 0, ALL],
  ]
}

const DMA_AND_TIMERS: readonly Row[] = [
  ...[0, 1, 2, 3].flatMap(dmaChannel),
  ['Arbiter Control', 0x860, 0, ALL],
  ['Timer/Counter 0', 0x850, ALL, ALL],
  ['Timer/Counter 1', 0x854, 0x00ffffff, 0x00ffffff],
  ['Timer/Counter 2', 0x858, 0x00ffffff, 0x00ffffff],
  ['Timer/Counter 3', 0x85c, 0x00ffffff, 0x00ffffff],
  ['Timer/Counter Control', 0x864, 0, 0xff],
]

function pciInternal(pci: 0 | 1): Row[] {
  const at = 0xc00 + 0x80 * pci
  return [
    [`PCI_${pci} Command`, at, 0, 0x0401fc0f],
    [`PCI_${pci} Time Out & Retry`, at + 0x04, 0x070f, ALL],
    [`PCI_${pci} SCS[1:0]* Bank Size`, at + 0x08, 0x00fff000, 0xfffff000],
    [`PCI_${pci} SCS[3:2]* Bank Size`, at + 0x0c, 0x00fff000, 0xfffff000],
    [`PCI_${pci} CS[2:0]* Bank Size`, at + 0x10, 0x01fff000, 0xfffff000],
    [`PCI_${pci} CS[3]* & Boot CS* Bank Size`, at + 0x14, 0x00fff000, 0xfffff000],
    [`PCI_${pci} Base Address Registers' Enable`, at + 0x3c, 0x0f, 0x1ff],
    [`PCI_${pci} Prefetch/Max Burst Size`, at + 0x40, 0x40, ALL],
    [`PCI_${pci} SCS[1:0]* Base Address Remap`, at + 0x48, 0x00000000, 0xfffff000],
    [`PCI_${pci} SCS[3:2]* Base Address Remap`, at + 0x4c, 0x01000000, 0xfffff000],
    [`PCI_${pci} CS[2:0]* Base Address Remap`, at + 0x50, 0x1c000000, 0xfffff000],
    [`PCI_${pci} CS[3]* & Boot CS* Base Address Remap`, at + 0x54, 0x1f000000, 0xfffff000],
    [`PCI_${pci} Swapped SCS[1:0]* Base Address Remap`, at + 0x58, 0x00000000, 0xfffff000],
    [`PCI_${pci} Swapped SCS[3:2]* Base Address Remap`, at + 0x5c, 0x01000000, 0xfffff000],
    [`PCI_${pci} Swapped CS[3]* & Boot CS* Base Address Remap`, at + 0x64, 0x1f000000, 0xfffff000],
  ]
}

const PCI_AND_INTERRUPTS: readonly Row[] = [
  ...pciInternal(0),
  ...pciInternal(1),
  ['Interrupt Cause', 0xc18, 0, 0],
  ['CPU Interrupt Mask', 0xc1c, 0, 0x3c3ffffe],
  ['PCI_0 Interrupt Cause Mask', 0xc24, 0, 0x03fffffe],
  ['PCI_0 SErr0 Mask', 0xc28, 0, 0x3f],
  ['PCI_1 Interrupt Acknowledge Virtual Register', 0xc30, 0, 0],
  ['PCI_0 Interrupt Acknowledge Virtual Register', 0xc34, 0, 0],
  ['CPU Select Cause', 0xc70, 0, 0],
  ['PCI_0 Interrupt Select', 0xc74, 0, 0],
  ['High Interrupt Cause', 0xc98, 0, 0],
  ['CPU High Interrupt Mask', 0xc9c, 0, 0],
  ['PCI_0 High Interrupt Cause Mask', 0xca4, 0, 0],
  ['PCI_1 SErr1 Mask', 0xca8, 0, 0],
  ['PCI_1 Configuration Address', 0xcf0, 0, 0x80fffffc],
  ['PCI_1 Configuration Data Virtual Register', 0xcf4, ALL, 0],
  ['PCI_0 Configuration Address', 0xcf8, 0, 0x80fffffc],
  ['PCI_0 Configuration Data Virtual Register', 0xcfc, 0, ALL],
]

/** Every register, by offset. */
export const gtRegisters: ReadonlyMap<number, GtRegister> = new Map(
  [...CPU_INTERFACE, ...MEMORY_AND_DEVICES, ...DMA_AND_TIMERS, ...PCI_AND_INTERRUPTS].map(
    ([name, offset, reset, writable]) => [offset, { name, offset, reset, writable }],
  ),
)

/** Offsets that the model acts on. */
export const gtOffset = {
  CPU_INTERFACE_CONFIGURATION: 0x000,
  PCI0_IO_LOW: 0x048,
  PCI0_IO_HIGH: 0x050,
  PCI0_MEM0_LOW: 0x058,
  PCI0_MEM0_HIGH: 0x060,
  INTERNAL_SPACE_DECODE: 0x068,
  PCI0_MEM1_LOW: 0x080,
  PCI0_MEM1_HIGH: 0x088,
  PCI1_IO_LOW: 0x090,
  PCI1_MEM0_LOW: 0x0a0,
  PCI1_MEM1_LOW: 0x0b0,
  PCI0_SYNC: 0x0c0,
  PCI1_SYNC: 0x0c8,
  SCS10_LOW: 0x008,
  SCS32_LOW: 0x018,
  CS20_LOW: 0x028,
  CS3_BOOT_LOW: 0x038,
  SCS10_REMAP: 0x0d0,
  SCS32_REMAP: 0x0d8,
  CS20_REMAP: 0x0e0,
  CS3_BOOT_REMAP: 0x0e8,
  PCI0_IO_REMAP: 0x0f0,
  PCI0_MEM0_REMAP: 0x0f8,
  PCI0_MEM1_REMAP: 0x100,
  PCI1_IO_REMAP: 0x108,
  PCI1_MEM0_REMAP: 0x110,
  PCI1_MEM1_REMAP: 0x118,
  DMA_FIRST: 0x800,
  DMA_CONTROL_FIRST: 0x840,
  DMA_CONTROL_LAST: 0x84c,
  TIMER_CONTROL: 0x864,
  PCI0_COMMAND: 0xc00,
  PCI1_COMMAND: 0xc80,
  INTERRUPT_CAUSE: 0xc18,
  CPU_INTERRUPT_MASK: 0xc1c,
  PCI0_INTERRUPT_ACKNOWLEDGE: 0xc34,
  PCI0_CONFIGURATION_ADDRESS: 0xcf8,
  PCI0_CONFIGURATION_DATA: 0xcfc,
} as const

/** Writing a decoder's low boundary sets its remap register to the same, so that nothing is remapped. */
export const remapOfLow: ReadonlyMap<number, number> = new Map([
  [gtOffset.SCS10_LOW, gtOffset.SCS10_REMAP],
  [gtOffset.SCS32_LOW, gtOffset.SCS32_REMAP],
  [gtOffset.CS20_LOW, gtOffset.CS20_REMAP],
  [gtOffset.CS3_BOOT_LOW, gtOffset.CS3_BOOT_REMAP],
  [gtOffset.PCI0_IO_LOW, gtOffset.PCI0_IO_REMAP],
  [gtOffset.PCI0_MEM0_LOW, gtOffset.PCI0_MEM0_REMAP],
  [gtOffset.PCI0_MEM1_LOW, gtOffset.PCI0_MEM1_REMAP],
  [gtOffset.PCI1_IO_LOW, gtOffset.PCI1_IO_REMAP],
  [gtOffset.PCI1_MEM0_LOW, gtOffset.PCI1_MEM0_REMAP],
  [gtOffset.PCI1_MEM1_LOW, gtOffset.PCI1_MEM1_REMAP],
])
