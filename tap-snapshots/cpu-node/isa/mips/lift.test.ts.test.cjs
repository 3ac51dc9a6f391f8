/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`cpu-node/isa/mips/lift.test.ts > TAP > 64-bit floating-point registers > must match snapshot 1`] = `
0x80001000: ldc1 f2, 8(a0)
  %0 = i32.get +164
  fault 267 if %0
  %2 = i32.get +16
  %3 = i64.load64u [%2 + 8] checked
  i64.put +528, %3
0x80001004: add.d f6, f2, f4
  %5 = i32.const 0x17
  %6 = i32.const 0x6
  %7 = i32.const 0x2
  %8 = i32.const 0x4
  %9 = i32.const 0x0
  call 13(%5, %6, %7, %8, %9)
0x80001008: sdc1 f6, 16(a0)
  %11 = i32.get +16
  %12 = i64.get +560
  store64 [%11 + 16], %12 checked
0x8000100c: syscall 0x0
  fault 8
micro-ops:
  block n=4 pc=0x80001000
  faultIf c=164 code=267
  load64 d=528 a=16 i=8
  call.imm d=0 h=13 a=23 b=6 c=2 e=4 f=0
  store64 v=560 a=16 i=16
  fault code=8

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > a block cut between branch and delay slot > by its limit 1`] = `
0x80001000: bne t0, t1, 0x80001000
  %0 = i32.get +32
  %1 = i32.get +36
  %2 = i32.ne %0, %1
  %3 = i32.const 0x80001000
  %4 = i32.const 0x80001008
  %5 = i32.select %2 ? %3 : %4
  i32.put +140, %5
  %7 = i32.const 0x1
  i32.put +144, %7
  look, then 0x80001004
micro-ops:
  block n=1 pc=0x80001000
  ne d=2048 a=32 b=36
  move.imm move.imm d=2052 b=-2147479552
  move.imm d=2056 b=-2147479544
  select d=140 c=2048 a=2052 b=2056
  move.imm d=144 b=1
  look target=0x80001004

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > a block cut between branch and delay slot > by the end of its page 1`] = `
0x80001000: bne t0, t1, 0x80001000
  %0 = i32.get +32
  %1 = i32.get +36
  %2 = i32.ne %0, %1
  %3 = i32.const 0x80001000
  %4 = i32.const 0x80001008
  %5 = i32.select %2 ? %3 : %4
  i32.put +140, %5
  %7 = i32.const 0x1
  i32.put +144, %7
  look, then 0x80001004
micro-ops:
  block n=1 pc=0x80001000
  ne d=2048 a=32 b=36
  move.imm move.imm d=2052 b=-2147479552
  move.imm d=2056 b=-2147479544
  select d=140 c=2048 a=2052 b=2056
  move.imm d=144 b=1
  look target=0x80001004

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > a block cut between branch and delay slot > the delay slot that is left 1`] = `
0x80001000 (delay slot): addiu t0, t0, 1
  %0 = i32.get +32
  %1 = i32.const 0x1
  %2 = i32.add %0, %1
  i32.put +32, %2
  %4 = i32.const 0x0
  i32.put +144, %4
  %6 = i32.get +140
  i32.put +140, %4
  jump %6
micro-ops:
  block n=1 pc=0x80001000
  add.imm move.imm d=32 a=32 b=1
  move.imm d=144 b=0
  move move.imm d=2048 a=140
  move.imm d=140 b=0
  indirect a=2048 last=1

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > a branch likely > must match snapshot 1`] = `
0x80001000: beql t0, zero, 0x80001000
  %0 = i32.get +32
  %1 = i32.const 0x0
  %2 = i32.eq %0, %1
  %3 = i32.eq %2, %1
  exit 0x80001008 if %3
0x80001004 (delay slot): lw t0, 4(a0)
  %5 = i32.get +16
  %6 = i32.load32u [%5 + 4] checked
  i32.put +32, %6
  jump 0x80001000
micro-ops:
  block n=2 pc=0x80001000
  eq.imm d=2048 a=32 b=0
  eq.imm d=2052 a=2048 b=0
  exitIf c=2052 unspent=1 link=0 target=0x80001008
  load32 jump d=32 a=16 i=4
  jump link=0 target=0x80001000

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > a branch whose operand the delay slot overwrites > must match snapshot 1`] = `
0x80001000: bne t0, t1, 0x80001000
  %0 = i32.get +32
  %1 = i32.get +36
  %2 = i32.ne %0, %1
0x80001004 (delay slot): addiu t0, t0, 1
  %3 = i32.get +32
  %4 = i32.const 0x1
  %5 = i32.add %3, %4
  i32.put +32, %5
  branch %2 ? 0x80001000 : 0x80001008
micro-ops:
  block n=2 pc=0x80001000
  move add.imm d=2048 a=32
  add.imm d=32 a=32 b=1
  branch.ne a=2048 b=36 takenLink=0 taken=0x80001000 link=0 fallThrough=0x80001008

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > a call through a register that the delay slot overwrites > must match snapshot 1`] = `
0x80001000: jalr ra, t9
  %0 = i32.get +100
  %1 = i32.const 0x80001008
  i32.put +124, %1
0x80001004 (delay slot): addiu t9, zero, 0
  %3 = i32.const 0x0
  i32.put +100, %3
  jump %0
micro-ops:
  block n=2 pc=0x80001000
  move.imm move d=124 b=-2147479544
  move d=2048 a=100
  move.imm d=100 b=0
  indirect a=2048 last=1

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > arithmetic in place > must match snapshot 1`] = `
0x80001000: addiu sp, sp, -32
  %0 = i32.get +116
  %1 = i32.const 0xffffffe0
  %2 = i32.add %0, %1
  i32.put +116, %2
0x80001004: lui t0, 0x1234
  %4 = i32.const 0x12340000
  i32.put +32, %4
0x80001008: ori t0, t0, 0x5678
  %6 = i32.get +32
  %7 = i32.const 0x5678
  %8 = i32.or %6, %7
  i32.put +32, %8
0x8000100c: break 0x0
  fault 9
micro-ops:
  block n=4 pc=0x80001000
  add.imm move.imm d=116 a=116 b=-32
  move.imm d=32 b=305397760
  or.imm d=32 a=32 b=22136
  fault code=9

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > big-endian loads and stores > must match snapshot 1`] = `
0x80001000: lh t0, 2(a0)
  %0 = i32.get +16
  %1 = i32.load16u [%0 + 2] checked
  %2 = i32.swap %1
  %3 = i32.const 0x10
  %4 = i32.shrU %2, %3
  %5 = i32.extend16S %4
  i32.put +32, %5
0x80001004: sw t0, 4(a0)
  %7 = i32.get +16
  %8 = i32.get +32
  %9 = i32.swap %8
  store32 [%7 + 4], %9 checked
0x80001008: syscall 0x0
  fault 8
micro-ops:
  block n=3 pc=0x80001000
  load16U d=2048 a=16 i=2
  swap d=2052 a=2048
  shrU.imm d=2056 a=2052 b=16
  extend16S d=32 a=2056
  swap d=2060 a=32
  store32 v=2060 a=16 i=4
  fault code=8

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > floating point > must match snapshot 1`] = `
0x80001000: ldc1 f2, 8(a0)
  %0 = i32.get +164
  fault 267 if %0
  %2 = i32.get +16
  %3 = i64.load64u [%2 + 8] checked
  %4 = wrap %3
  i32.put +528, %4
  %6 = i64.const 32
  %7 = i64.shrU %3, %6
  %8 = wrap %7
  i32.put +536, %8
0x80001004: add.d f6, f2, f4
  %10 = i32.const 0x17
  %11 = i32.const 0x6
  %12 = i32.const 0x2
  %13 = i32.const 0x4
  %14 = i32.const 0x0
  call 13(%10, %11, %12, %13, %14)
0x80001008: sdc1 f6, 16(a0)
  %16 = i32.get +16
  %17 = i32.get +560
  %18 = extendU %17
  %19 = i32.get +568
  %20 = extendU %19
  %21 = i64.const 32
  %22 = i64.shl %20, %21
  %23 = i64.or %18, %22
  store64 [%16 + 16], %23 checked
0x8000100c: syscall 0x0
  fault 8
micro-ops:
  block n=4 pc=0x80001000
  faultIf c=164 code=267
  load64 d=2048 a=16 i=8
  wrap d=528 a=2048
  move.imm move.imm d=2056 b=32
  move.imm d=2060 b=0
  shrU.64 d=2064 a=2048 b=2056
  wrap d=536 a=2064
  call.imm d=0 h=13 a=23 b=6 c=2 e=4 f=0
  extendU d=2072 a=560
  extendU d=2080 a=568
  move.imm move.imm d=2088 b=32
  move.imm d=2092 b=0
  shl.64 d=2096 a=2080 b=2088
  or.64 d=2104 a=2072 b=2096
  store64 v=2104 a=16 i=16
  fault code=8

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > multiply and accumulate > must match snapshot 1`] = `
0x80001000: madd a0, a1
  %0 = i32.get +16
  %1 = extendS %0
  %2 = i32.get +20
  %3 = extendS %2
  %4 = i64.mul %1, %3
  %5 = i64.get +128
  %6 = i64.add %5, %4
  i64.put +128, %6
0x80001004: mfhi v0
  %8 = i32.get +132
  i32.put +8, %8
0x80001008: syscall 0x0
  fault 8
micro-ops:
  block n=3 pc=0x80001000
  extendS d=2048 a=16
  extendS d=2056 a=20
  mul.64 d=2064 a=2048 b=2056
  add.64 d=128 a=128 b=2064
  move d=8 a=132
  fault code=8

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > overflow > must match snapshot 1`] = `
0x80001000: add a2, a0, a1
  %0 = i32.get +16
  %1 = i32.get +20
  %2 = i32.add %0, %1
  %3 = i32.xor %0, %1
  %4 = i32.const 0xffffffff
  %5 = i32.xor %3, %4
  %6 = i32.xor %0, %2
  %7 = i32.and %5, %6
  %8 = i32.const 0x0
  %9 = i32.ltS %7, %8
  fault 12 if %9
  i32.put +24, %2
0x80001004: jr ra
  %12 = i32.get +124
0x80001008 (delay slot): nop
  jump %12
micro-ops:
  block n=3 pc=0x80001000
  add xor d=2048 a=16 b=20
  xor d=2052 a=16 b=20
  xor.imm d=2056 a=2052 b=-1
  xor d=2060 a=16 b=2048
  and d=2064 a=2056 b=2060
  ltS.imm d=2068 a=2064 b=0
  faultIf c=2068 code=12
  move d=24 a=2048
  indirect a=124 last=1

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > system control > must match snapshot 1`] = `
0x80001000: mfc0 t0, Status
  %0 = i32.get +160
  fault 11 if %0
  %2 = i32.get +1408
  i32.put +32, %2
0x80001004: mtc0 t0, Status
  %4 = i32.const 0x60
  %5 = i32.get +32
  %6 = call 3(%4, %5) -> i32
  look, then go to 0x80001008 if %6
0x80001008: sll zero, zero, 0
  %8 = i32.const 0x0
0x8000100c: sll zero, zero, 0
0x80001010: sll zero, zero, 0
0x80001014: sll zero, zero, 0
0x80001018: sll zero, zero, 0
0x8000101c: sll zero, zero, 0
0x80001020: sll zero, zero, 0
0x80001024: sll zero, zero, 0
0x80001028: sll zero, zero, 0
0x8000102c: sll zero, zero, 0
0x80001030: sll zero, zero, 0
0x80001034: sll zero, zero, 0
0x80001038: sll zero, zero, 0
0x8000103c: sll zero, zero, 0
0x80001040: sll zero, zero, 0
0x80001044: sll zero, zero, 0
0x80001048: sll zero, zero, 0
0x8000104c: sll zero, zero, 0
0x80001050: sll zero, zero, 0
0x80001054: sll zero, zero, 0
0x80001058: sll zero, zero, 0
0x8000105c: sll zero, zero, 0
0x80001060: sll zero, zero, 0
0x80001064: sll zero, zero, 0
0x80001068: sll zero, zero, 0
0x8000106c: sll zero, zero, 0
0x80001070: sll zero, zero, 0
0x80001074: sll zero, zero, 0
0x80001078: sll zero, zero, 0
0x8000107c: sll zero, zero, 0
0x80001080: sll zero, zero, 0
0x80001084: sll zero, zero, 0
0x80001088: sll zero, zero, 0
0x8000108c: sll zero, zero, 0
0x80001090: sll zero, zero, 0
0x80001094: sll zero, zero, 0
0x80001098: sll zero, zero, 0
0x8000109c: sll zero, zero, 0
0x800010a0: sll zero, zero, 0
0x800010a4: sll zero, zero, 0
0x800010a8: sll zero, zero, 0
0x800010ac: sll zero, zero, 0
0x800010b0: sll zero, zero, 0
0x800010b4: sll zero, zero, 0
0x800010b8: sll zero, zero, 0
0x800010bc: sll zero, zero, 0
0x800010c0: sll zero, zero, 0
0x800010c4: sll zero, zero, 0
0x800010c8: sll zero, zero, 0
0x800010cc: sll zero, zero, 0
0x800010d0: sll zero, zero, 0
0x800010d4: sll zero, zero, 0
0x800010d8: sll zero, zero, 0
0x800010dc: sll zero, zero, 0
0x800010e0: sll zero, zero, 0
0x800010e4: sll zero, zero, 0
0x800010e8: sll zero, zero, 0
0x800010ec: sll zero, zero, 0
0x800010f0: sll zero, zero, 0
0x800010f4: sll zero, zero, 0
0x800010f8: sll zero, zero, 0
0x800010fc: sll zero, zero, 0
  jump 0x80001100
micro-ops:
  block n=64 pc=0x80001000
  faultIf c=160 code=11
  move move.imm d=32 a=1408
  move.imm d=2048 b=96
  call d=2052 h=3 a=2048 b=32 c=0 e=0 f=0
  lookIf c=2052 unspent=62 target=0x80001008
  jump link=0 target=0x80001100

`

exports[`cpu-node/isa/mips/lift.test.ts > TAP > unaligned words > must match snapshot 1`] = `
0x80001000: lwl t0, 3(a0)
  %0 = i32.get +16
  %1 = i32.load32u [%0 + 3] down
  %2 = i32.const 0x3
  %3 = i32.add %0, %2
  %4 = i32.and %3, %2
  %5 = i32.shl %4, %2
  %6 = i32.const 0x18
  %7 = i32.sub %6, %5
  %8 = i32.get +32
  %9 = i32.const 0xffffff
  %10 = i32.shrU %9, %5
  %11 = i32.and %8, %10
  %12 = i32.shl %1, %7
  %13 = i32.or %12, %11
  i32.put +32, %13
0x80001004: lwr t0, 0(a0)
  %15 = i32.get +16
  %16 = i32.load32u [%15 + 0] down
  %17 = i32.const 0x0
  %18 = i32.and %15, %2
  %19 = i32.shl %18, %2
  %20 = i32.sub %6, %19
  %21 = i32.get +32
  %22 = i32.const 0xffffff00
  %23 = i32.shl %22, %20
  %24 = i32.and %21, %23
  %25 = i32.shrU %16, %19
  %26 = i32.or %25, %24
  i32.put +32, %26
0x80001008: swl t0, 3(a1)
  %28 = i32.get +20
  %29 = i32.load32u [%28 + 3] down for write
  %30 = i32.add %28, %2
  %31 = i32.and %30, %2
  %32 = i32.shl %31, %2
  %33 = i32.sub %6, %32
  %34 = i32.get +32
  %35 = i32.shrU %34, %33
  %36 = i32.shl %22, %32
  %37 = i32.and %29, %36
  %38 = i32.or %35, %37
  %39 = i32.get +20
  store32 [%39 + 3], %38 down
0x8000100c: syscall 0x0
  fault 8
micro-ops:
  block n=4 pc=0x80001000
  load32.down d=2048 a=16 i=3
  add.imm and.imm d=2052 a=16 b=3
  and.imm d=2056 a=2052 b=3
  shl.imm d=2060 a=2056 b=3
  move.imm d=2064 b=24
  sub d=2068 a=2064 b=2060
  move.imm d=2072 b=16777215
  shrU d=2076 a=2072 b=2060
  and d=2080 a=32 b=2076
  shl d=2084 a=2048 b=2068
  or d=32 a=2084 b=2080
  load32.down d=2088 a=16 i=0
  and.imm shl.imm d=2092 a=16 b=3
  shl.imm d=2096 a=2092 b=3
  sub d=2100 a=2064 b=2096
  move.imm d=2104 b=-256
  shl d=2108 a=2104 b=2100
  and d=2112 a=32 b=2108
  shrU d=2116 a=2088 b=2096
  or d=32 a=2116 b=2112
  load32.downForWrite d=2120 a=20 i=3
  add.imm and.imm d=2124 a=20 b=3
  and.imm d=2128 a=2124 b=3
  shl.imm sub d=2132 a=2128 b=3
  sub d=2136 a=2064 b=2132
  shrU d=2140 a=32 b=2136
  shl d=2144 a=2104 b=2132
  and d=2148 a=2120 b=2144
  or d=2152 a=2140 b=2148
  store32.down v=2152 a=20 i=3
  fault code=8

`
