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
  faultIf c=41 code=267
  load64 d=132 a=4 i=8
  call.imm d=0 h=13 a=23 b=6 c=2 e=4 f=0
  store64 v=140 a=4 i=16
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
  ne d=512 a=8 b=9
  move.imm d=513 b=-2147479552
  move.imm d=514 b=-2147479544
  select d=35 c=512 a=513 b=514
  move.imm d=36 b=1
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
  ne d=512 a=8 b=9
  move.imm d=513 b=-2147479552
  move.imm d=514 b=-2147479544
  select d=35 c=512 a=513 b=514
  move.imm d=36 b=1
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
  add.imm d=8 a=8 b=1
  move.imm d=36 b=0
  move d=512 a=35
  move.imm d=35 b=0
  indirect a=512

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
  eq.imm d=512 a=8 b=0
  eq.imm d=513 a=512 b=0
  exitIf c=513 unspent=1 link=0 target=0x80001008
  load32 d=8 a=4 i=4
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
  move d=512 a=8
  add.imm d=8 a=8 b=1
  branch.ne a=512 b=9 takenLink=0 taken=0x80001000 link=0 fallThrough=0x80001008

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
  move.imm d=31 b=-2147479544
  move d=512 a=25
  move.imm d=25 b=0
  indirect a=512

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
  add.imm d=29 a=29 b=-32
  move.imm d=8 b=305397760
  or.imm d=8 a=8 b=22136
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
  load16U d=512 a=4 i=2
  swap d=513 a=512
  shrU.imm d=514 a=513 b=16
  extend16S d=8 a=514
  swap d=515 a=8
  store32 v=515 a=4 i=4
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
  faultIf c=41 code=267
  load64 d=512 a=4 i=8
  wrap d=132 a=512
  move.imm d=514 b=32
  move.imm d=515 b=0
  shrU.64 d=516 a=512 b=514
  wrap d=134 a=516
  call.imm d=0 h=13 a=23 b=6 c=2 e=4 f=0
  extendU d=518 a=140
  extendU d=520 a=142
  move.imm d=522 b=32
  move.imm d=523 b=0
  shl.64 d=524 a=520 b=522
  or.64 d=526 a=518 b=524
  store64 v=526 a=4 i=16
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
  extendS d=512 a=4
  extendS d=514 a=5
  mul.64 d=516 a=512 b=514
  add.64 d=32 a=32 b=516
  move d=2 a=33
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
  add d=512 a=4 b=5
  xor d=513 a=4 b=5
  xor.imm d=514 a=513 b=-1
  xor d=515 a=4 b=512
  and d=516 a=514 b=515
  ltS.imm d=517 a=516 b=0
  faultIf c=517 code=12
  move d=6 a=512
  indirect a=31

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
  faultIf c=40 code=11
  move d=8 a=352
  move.imm d=512 b=96
  call d=513 h=3 a=512 b=8 c=0 e=0 f=0
  lookIf c=513 unspent=62 target=0x80001008
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
  load32.down d=512 a=4 i=3 w=0
  add.imm d=513 a=4 b=3
  and.imm d=514 a=513 b=3
  shl.imm d=515 a=514 b=3
  move.imm d=516 b=24
  sub d=517 a=516 b=515
  move.imm d=518 b=16777215
  shrU d=519 a=518 b=515
  and d=520 a=8 b=519
  shl d=521 a=512 b=517
  or d=8 a=521 b=520
  load32.down d=522 a=4 i=0 w=0
  and.imm d=523 a=4 b=3
  shl.imm d=524 a=523 b=3
  sub d=525 a=516 b=524
  move.imm d=526 b=-256
  shl d=527 a=526 b=525
  and d=528 a=8 b=527
  shrU d=529 a=522 b=524
  or d=8 a=529 b=528
  load32.down d=530 a=5 i=3 w=1
  add.imm d=531 a=5 b=3
  and.imm d=532 a=531 b=3
  shl.imm d=533 a=532 b=3
  sub d=534 a=516 b=533
  shrU d=535 a=8 b=534
  shl d=536 a=526 b=533
  and d=537 a=530 b=536
  or d=538 a=535 b=537
  store32.down v=538 a=5 i=3
  fault code=8

`
