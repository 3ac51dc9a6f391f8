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
    ananke: /^random: crng init done$/,
    why: "QEMU's firmware hands the kernel random bytes of the host (`rngseed`); here its pool fills later",
  },
  {
    qemu: /^CPU frequency \d+\.\d\d MHz$/,
    ananke: /^CPU frequency 125\.00 MHz$/,
    why: 'the clock is 8 ns an instruction here; QEMU counts at 333 MHz by the host',
  },
  {
    qemu: /^clocksource: MIPS: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: \d+ ns$/,
    ananke: /^clocksource: MIPS: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: 30580167144 ns$/,
    why: 'it follows from the clock',
  },
  {
    qemu: /^sched_clock: 32 bits at \d+MHz, resolution \d+ns, wraps every \d+ns$/,
    ananke: /^sched_clock: 32 bits at 6[23]MHz, resolution 16ns, wraps every 34359738360ns$/,
    why: 'it follows from the clock',
  },
  {
    qemu: /^Calibrating delay loop\.\.\.( [\d.]+ BogoMIPS \(lpj=\d+\))?$|^[\d.]+ BogoMIPS \(lpj=\d+\)$/,
    ananke: /^Calibrating delay loop\.\.\. 12\d\.\d\d BogoMIPS \(lpj=\d+\)$/,
    why: 'it follows from the clock, and under QEMU from the host: if that is busy, another line comes in its middle',
  },
  {
    qemu: /^audit: type=2000 audit\([\d.]+:1\): state=initialized audit_enabled=0 res=1$/,
    ananke: /^audit: type=2000 audit\([\d.]+:1\): state=initialized audit_enabled=0 res=1$/,
    why: 'the time of day, and a thread of its own that another clock orders otherwise',
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
    qemu: /^pci 0000:00:0a\.2: quirk_usb_early_handoff\+0x0\/0x[0-9a-f]+ took \d+ usecs$/,
    why: 'the kernel says so of what takes it 10 ms, and QEMU counts by the host, which may be busy',
  },
  {
    qemu: /^pci 0000:00:0a\.1: BAR 4 \[io {2}0x1060-0x106f\]: assigned$/,
    ananke: /^pci 0000:00:0a\.1: BAR 4 \[io {2}0x1040-0x104f\]: assigned$/,
    why: 'without the USB function its ports go to the IDE function',
  },
  {
    qemu: /^rtc_cmos 70\.rtc: setting system clock to .*$/,
    ananke: /^rtc_cmos 70\.rtc: setting system clock to 2024-01-01T00:\d\d:\d\d UTC \(\d+\)$/,
    why: "a scripted run's time of day is fixed; QEMU's is the host's",
  },
]
