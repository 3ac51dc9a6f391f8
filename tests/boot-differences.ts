/**
 * Where a boot log of Ananke's Malta differs from QEMU's, and why. Times in brackets are not compared.
 */

export interface Difference {
  /** Lines that only QEMU prints. */
  qemu?: RegExp
  /** Lines that only Ananke prints. */
  ananke?: RegExp
  why: string
}

export const DIFFERENCES: readonly Difference[] = [
  {
    qemu: /^random: crng init done$/,
    why: "QEMU's firmware hands the kernel random bytes of the host (`rngseed`); here its pool fills later",
  },
  {
    qemu: /^CPU frequency 333\.33 MHz$/,
    ananke: /^CPU frequency 125\.00 MHz$/,
    why: 'the CPU counts 8 ns an instruction here, and at 333 MHz under QEMU',
  },
  {
    qemu: /^clocksource: MIPS: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: 11467562585 ns$/,
    ananke: /^clocksource: MIPS: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: 30580167144 ns$/,
    why: 'it follows from the clock',
  },
  {
    qemu: /^sched_clock: 32 bits at 167MHz, resolution 6ns, wraps every 12884901885ns$/,
    ananke: /^sched_clock: 32 bits at 63MHz, resolution 16ns, wraps every 34359738360ns$/,
    why: 'it follows from the clock',
  },
  {
    qemu: /^audit: type=2000 audit\([\d.]+:1\): state=initialized audit_enabled=0 res=1$/,
    ananke: /^audit: type=2000 audit\([\d.]+:1\): state=initialized audit_enabled=0 res=1$/,
    why: 'the time of day, some ticks apart',
  },
  {
    qemu: /^pci 0000:00:00\.0: \[Firmware Bug\]: BAR [1-5]: invalid; can't size$/,
    ananke: /^pci 0000:00:00\.0: BAR [0-5] \[.*\]$/,
    why: "the GT-64120's own base address registers are as the datasheet has them; QEMU's cannot be sized",
  },
  {
    qemu: /^pci 0000:00:0a\.2: (\[8086:7112\] type 00 class 0x0c0300|BAR 4 \[io .*\](: assigned)?|enabling device .*)$/,
    why: "the PIIX4's USB function is not there yet",
  },
  {
    qemu: /^pci 0000:00:0a\.1: BAR 4 \[io {2}0x1060-0x106f\]: assigned$/,
    ananke: /^pci 0000:00:0a\.1: BAR 4 \[io {2}0x1040-0x104f\]: assigned$/,
    why: 'without the USB function its ports go to the IDE function',
  },
]
