/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`cpu-node/translator/golden.test.ts > TAP > a big-endian load and store > code, IR and WebAssembly 1`] = `
0x80001000: lw t0, 0(a0)
  %0 = i32.get +16
  %1 = i32.load32u [%0 + 0] checked
  %2 = i32.swap %1
  i32.put +32, %2
0x80001004: sh t0, 2(a1)
  %4 = i32.get +20
  %5 = i32.get +32
  %6 = i32.swap %5
  %7 = i32.const 0x10
  %8 = i32.shrU %6, %7
  store16 [%4 + 2], %8 checked
0x80001008: break 0x0, which the interpreter does
  fault 9

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (if $I9
                (i32.eqz
                  (i32.eqz
                    (i32.and
                      (local.tee $l5
                        (i32.xor
                          (local.tee $l6 (i32.load offset=16 (i32.const 0)))
                          (i32.const 0x80000000)))
                      (i32.const 0xff000003))))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (local.set $l3 (i32.const 2))
                  (br $B5)))
              (local.set $l7 (i32.load offset=360448 (local.get $l5)))
              (local.set $l9
                (i32.or
                  (i32.shl
                    (local.tee $l8
                      (i32.or
                        (i32.and
                          (i32.shl (local.tee $l8 (local.get $l7)) (i32.const 8))
                          (i32.const 0xff00ff00))
                        (i32.and (i32.shr_u (local.get $l8) (i32.const 8)) (i32.const 0xff00ff))))
                    (i32.const 16))
                  (i32.shr_u (local.get $l8) (i32.const 16))))
              (local.set $l10
                (i32.shr_u
                  (i32.or
                    (i32.shl
                      (local.tee $l11
                        (i32.or
                          (i32.and
                            (i32.shl (local.tee $l11 (local.get $l9)) (i32.const 8))
                            (i32.const 0xff00ff00))
                          (i32.and (i32.shr_u (local.get $l11) (i32.const 8)) (i32.const 0xff00ff))))
                      (i32.const 16))
                    (i32.shr_u (local.get $l11) (i32.const 16)))
                  (i32.const 16)))
              (block $B10
                (block $B11
                  (br_if $B11
                    (i32.eqz
                      (i32.eqz
                        (i32.and
                          (local.tee $l12
                            (i32.add
                              (local.tee $l13 (i32.load offset=20 (i32.const 0)))
                              (i32.const 0x80000002)))
                          (i32.const 0xff000001)))))
                  (br_if $B11
                    (i32.ne
                      (i32.load8_u offset=268435456 (i32.shr_u (local.get $l12) (i32.const 12)))
                      (i32.const 5)))
                  (i32.store16 offset=360448 (local.get $l12) (local.get $l10))
                  (br $B10))
                (i32.store offset=32 (i32.const 0) (local.get $l9))
                (local.set $l4 (i32.const 0x80001004))
                (local.set $l3 (i32.const 1))
                (br $B5))
              (i32.store offset=32 (i32.const 0) (local.get $l9))
              (i32.store offset=136 (i32.const 0) (i32.const 0x80001008))
              (i32.store offset=16352 (i32.const 0) (i32.const 1))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > a block that loops to itself > code, IR and WebAssembly 1`] = `
0x80001000: addu v0, v0, t0
  %0 = i32.get +8
  %1 = i32.get +32
  %2 = i32.add %0, %1
  i32.put +8, %2
0x80001004: bne t0, zero, 0x80001000
  %4 = i32.get +32
  %5 = i32.const 0x0
  %6 = i32.ne %4, %5
0x80001008 (delay slot): addiu t0, t0, -1
  %7 = i32.get +32
  %8 = i32.const 0xffffffff
  %9 = i32.add %7, %8
  i32.put +32, %9
  branch %6 ? 0x80001000 : 0x8000100c

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 3))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 3)))
              (drop (local.tee $l5 (i32.load offset=8 (i32.const 0))))
              (drop (local.tee $l6 (i32.load offset=32 (i32.const 0))))
              (loop $L9
                (local.set $l5 (i32.add (local.get $l5) (local.get $l6)))
                (local.set $l7 (i32.ne (local.get $l6) (i32.const 0)))
                (local.set $l6 (i32.add (local.get $l6) (i32.const -1)))
                (if $I10
                  (local.get $l7)
                  (then
                    (if $I11
                      (i32.lt_s (local.get $budget) (i32.const 3))
                      (then
                        (i32.store offset=8 (i32.const 0) (local.get $l5))
                        (i32.store offset=32 (i32.const 0) (local.get $l6))
                        (local.set $l4 (i32.const 0x80001000))
                        (br $B2)))
                    (local.set $budget (i32.sub (local.get $budget) (i32.const 3)))
                    (br $L9)))
                (i32.store offset=8 (i32.const 0) (local.get $l5))
                (i32.store offset=32 (i32.const 0) (local.get $l6))
                (i32.store offset=136 (i32.const 0) (i32.const 0x8000100c))
                (br $B0))
              (unreachable))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > a branch and its delay slot, which overwrites what was compared > code, IR and WebAssembly 1`] = `
0x80001000: bne t0, t1, 0x8000100c
  %0 = i32.get +32
  %1 = i32.get +36
  %2 = i32.ne %0, %1
0x80001004 (delay slot): addiu t0, t0, 1
  %3 = i32.get +32
  %4 = i32.const 0x1
  %5 = i32.add %3, %4
  i32.put +32, %5
  branch %2 ? 0x8000100c : 0x80001008

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (local.set $l7
                (i32.ne
                  (local.tee $l5 (i32.load offset=32 (i32.const 0)))
                  (local.tee $l6 (i32.load offset=36 (i32.const 0)))))
              (local.set $l5 (i32.add (local.get $l5) (i32.const 1)))
              (local.get $l7)
              (i32.store offset=32 (i32.const 0) (local.get $l5))
              (if $I9
                (then
                  (i32.store offset=136 (i32.const 0) (i32.const 0x8000100c))
                  (br $B0)))
              (i32.store offset=136 (i32.const 0) (i32.const 0x80001008))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > a call and its return > code, IR and WebAssembly 1`] = `
0x80001000: jal 0x80001010
  %0 = i32.const 0x80001008
  i32.put +124, %0
0x80001004 (delay slot): addiu a0, zero, 1
  %2 = i32.const 0x0
  %3 = i32.const 0x1
  i32.put +16, %3
  jump 0x80001010

0x80001008: beq zero, zero, 0x80001018
0x8000100c (delay slot): addu v0, v0, v0
  %0 = i32.get +8
  %1 = i32.get +8
  %2 = i32.add %0, %1
  i32.put +8, %2
  jump 0x80001018

0x80001010: jr ra
  %0 = i32.get +124
0x80001014 (delay slot): addu v0, a0, a0
  %1 = i32.get +16
  %2 = i32.get +16
  %3 = i32.add %1, %2
  i32.put +8, %3
  jump %0

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (block $B8
                  (block $B9
                    (br_table $B9 $B8 $B7 (local.get $next)))
                  (if $I10
                    (i32.lt_s (local.get $budget) (i32.const 2))
                    (then
                      (local.set $l4 (i32.const 0x80001000))
                      (br $B2)))
                  (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
                  (local.set $l5 (i32.const 0x80001008))
                  (local.set $l6 (i32.const 1))
                  (i32.store offset=124 (i32.const 0) (local.get $l5))
                  (i32.store offset=16 (i32.const 0) (local.get $l6))
                  (br $B7))
                (if $I11
                  (i32.lt_s (local.get $budget) (i32.const 2))
                  (then
                    (local.set $l4 (i32.const 0x80001008))
                    (br $B2)))
                (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
                (local.set $l7
                  (i32.add (local.tee $l7 (i32.load offset=8 (i32.const 0))) (local.get $l7)))
                (i32.store offset=8 (i32.const 0) (local.get $l7))
                (i32.store offset=136 (i32.const 0) (i32.const 0x80001018))
                (br $B0))
              (if $I12
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (i32.const 0x80001010))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (local.set $l8 (local.tee $l5 (i32.load offset=124 (i32.const 0))))
              (local.set $l7
                (i32.add (local.tee $l6 (i32.load offset=16 (i32.const 0))) (local.get $l6)))
              (local.set $l4 (local.get $l8))
              (i32.store offset=8 (i32.const 0) (local.get $l7))
              (if $I13
                (i32.eq (local.get $l4) (i32.const 0x80001008))
                (then
                  (local.set $next (i32.const 1))
                  (br $L6)))
              (i32.store offset=136 (i32.const 0) (local.get $l4))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > a call to another relative page > code, IR and WebAssembly 1`] = `
0xff0: bgezal zero, 0x1000
  %0 = i32.const 0x0
  %1 = i32.leS %0, %0
  %2 = address 0xff8
  i32.put +124, %2
0xff4 (delay slot): nop
  jump 0x1000

0xff8: beq zero, zero, 0x1008
0xffc (delay slot): nop
  %0 = i32.const 0x0
  jump 0x1008

0x1000: jr ra
  %0 = i32.get +124
0x1004 (delay slot): addiu v0, v0, 1
  %1 = i32.get +8
  %2 = i32.const 0x1
  %3 = i32.add %1, %2
  i32.put +8, %3
  jump %0

(local.set $l6 (i32.and (i32.shr_u (local.get $next) (i32.const 10)) (i32.const -64)))
(local.set $l9 (i32.const 1))
(local.set $l11 (i32.const 1))
(local.set $l5
  (i32.sub
    (i32.and (i32.load offset=136 (i32.const 0)) (i32.const -4096))
    (i32.and (i32.shl (local.get $next) (i32.const 4)) (i32.const 0xff000))))
(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (block $B8
                  (block $B9
                    (block $B10
                      (br_table $B10 $B9 $B8 (local.get $next)))
                    (if $I11
                      (i32.lt_s (local.get $budget) (i32.const 2))
                      (then
                        (local.set $l4 (i32.add (i32.const 4080) (local.get $l5)))
                        (br $B2)))
                    (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
                    (local.set $l13 (i32.add (i32.const 4088) (local.get $l5)))
                    (local.set $l11 (local.get $l9))
                    (local.set $l12 (local.get $l10))
                    (local.set $l9 (i32.add (i32.const 4088) (local.get $l5)))
                    (local.set $l10 (i32.const 1))
                    (i32.store offset=124 (i32.const 0) (local.get $l13))
                    (if $I12
                      (i32.eqz (i32.and (local.get $l7) (i32.const 2)))
                      (then
                        (local.set $l4 (i32.add (i32.const 4096) (local.get $l5)))
                        (local.set $next (i32.const 2))
                        (local.set $l8 (i32.const 2))
                        (br $B7)))
                    (br $B8))
                  (if $I13
                    (i32.lt_s (local.get $budget) (i32.const 2))
                    (then
                      (local.set $l4 (i32.add (i32.const 4088) (local.get $l5)))
                      (br $B2)))
                  (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
                  (i32.store offset=136 (i32.const 0) (i32.add (i32.const 4104) (local.get $l5)))
                  (br $B0))
                (if $I14
                  (i32.lt_s (local.get $budget) (i32.const 2))
                  (then
                    (local.set $l4 (i32.add (i32.const 4096) (local.get $l5)))
                    (br $B2)))
                (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
                (local.set $l14 (local.tee $l13 (i32.load offset=124 (i32.const 0))))
                (local.set $l15
                  (i32.add (local.tee $l15 (i32.load offset=8 (i32.const 0))) (i32.const 1)))
                (local.set $l4 (local.get $l14))
                (i32.store offset=8 (i32.const 0) (local.get $l15))
                (if $I15
                  (i32.eq (local.get $l4) (local.get $l9))
                  (then
                    (local.set $next (local.get $l10))
                    (local.set $l9 (local.get $l11))
                    (local.set $l10 (local.get $l12))
                    (local.set $l11 (i32.const 1))
                    (br $L6)))
                (i32.store offset=136 (i32.const 0) (local.get $l4))
                (br $B0))
              (if $I16
                (i32.and
                  (i32.eq
                    (i32.load offset=327680
                      (local.tee $l16
                        (i32.and (i32.shr_u (local.get $l4) (i32.const 9)) (i32.const 0x7ff8))))
                    (i32.or
                      (i32.and (local.get $l4) (i32.const -4096))
                      (i32.load offset=16340 (i32.const 0))))
                  (i32.eq
                    (i32.load offset=327684 (local.get $l16))
                    (i32.load offset=419430416
                      (i32.add (local.get $l6) (i32.shl (i32.ctz (local.get $l8)) (i32.const 2))))))
                (then
                  (local.set $l7 (i32.or (local.get $l7) (local.get $l8)))
                  (br $L6)))
              (i32.store offset=136 (i32.const 0) (local.get $l4))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > a floating-point addition > code, IR and WebAssembly 1`] = `
0x401000: add.s f6, f2, f4
  %0 = i32.get +164
  fault 267 if %0
  %2 = i32.const 0x0
  %3 = i32.const 0x6
  %4 = i32.const 0x2
  %5 = i32.const 0x4
  call 13(%2, %3, %4, %5, %2)
0x401004: break 0x0, which the interpreter does
  fault 9

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 1))
                (then
                  (local.set $l4 (i32.const 0x401000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 1)))
              (if $I9
                (i32.load offset=164 (i32.const 0))
                (then
                  (local.set $l4 (i32.const 0x401000))
                  (local.set $l3 (i32.const 1))
                  (br $B4)))
              (local.set $l5 (i32.load offset=152 (i32.const 0)))
              (local.set $l6 (f32.load offset=528 (i32.const 0)))
              (local.set $l7 (f32.load offset=544 (i32.const 0)))
              (block $B10
                (block $B11
                  (br_if $B11 (i32.and (local.get $l5) (i32.const 131)))
                  (local.set $l8 (f32.add (local.get $l6) (local.get $l7)))
                  (local.set $l10 (i32.reinterpret_f32 (local.get $l8)))
                  (local.set $l11
                    (if $I12 (result i32)
                      (i32.lt_u
                        (i32.sub (i32.shl (local.get $l10) (i32.const 1)) (i32.const 0x2000000))
                        (i32.const 0xfd000000))
                      (then
                        (i32.ne
                          (i32.shl
                            (i32.reinterpret_f32
                              (f32.add
                                (f32.sub
                                  (local.get $l6)
                                  (f32.sub
                                    (local.get $l8)
                                    (local.tee $l9 (f32.sub (local.get $l8) (local.get $l6)))))
                                (f32.sub (local.get $l7) (local.get $l9))))
                            (i32.const 1))
                          (i32.const 0)))
                      (else
                        (br_if $B11 (i32.ne (i32.shl (local.get $l10) (i32.const 1)) (i32.const 0)))
                        (i32.const 0))))
                  (local.set $l12
                    (i32.or
                      (i32.and (local.get $l5) (i32.const 0xfffc0fff))
                      (i32.and (i32.sub (i32.const 0) (local.get $l11)) (i32.const 4100))))
                  (f32.store offset=560 (i32.const 0) (local.tee $l13 (local.get $l8)))
                  (i32.store offset=152 (i32.const 0) (local.tee $l5 (local.get $l12)))
                  (br $B10))
                (i32.store offset=16372 (i32.const 0) (i32.add (local.get $budget) (i32.const 1)))
                (call $env.helper
                  (i32.const 13)
                  (i32.const 0)
                  (i32.const 6)
                  (i32.const 2)
                  (i32.const 4)
                  (i32.const 0))
                (if $I13
                  (i32.load offset=16368 (i32.const 0))
                  (then
                    (local.set $l4 (i32.const 0x401000))
                    (local.set $l3 (i32.const 1))
                    (br $B4)))
                (drop)
                (local.set $l13 (f32.load offset=560 (i32.const 0)))
                (local.set $l5 (i32.load offset=152 (i32.const 0))))
              (i32.store offset=136 (i32.const 0) (i32.const 0x401004))
              (i32.store offset=16352 (i32.const 0) (i32.const 1))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > a load and a store of kernel code > code, IR and WebAssembly 1`] = `
0x80001000: lhu t0, 6(a0)
  %0 = i32.get +16
  %1 = i32.load16u [%0 + 6] checked
  i32.put +32, %1
0x80001004: sw t0, 0(a1)
  %3 = i32.get +20
  %4 = i32.get +32
  store32 [%3 + 0], %4 checked
0x80001008: break 0x0, which the interpreter does
  fault 9

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (if $I9
                (i32.eqz
                  (i32.eqz
                    (i32.and
                      (local.tee $l5
                        (i32.add
                          (local.tee $l6 (i32.load offset=16 (i32.const 0)))
                          (i32.const 0x80000006)))
                      (i32.const 0xff000001))))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (local.set $l3 (i32.const 2))
                  (br $B5)))
              (local.set $l7 (i32.load16_u offset=360448 (local.get $l5)))
              (local.set $l8 (local.get $l7))
              (local.set $l9 (local.get $l8))
              (block $B10
                (block $B11
                  (br_if $B11
                    (i32.eqz
                      (i32.eqz
                        (i32.and
                          (local.tee $l10
                            (i32.xor
                              (local.tee $l11 (i32.load offset=20 (i32.const 0)))
                              (i32.const 0x80000000)))
                          (i32.const 0xff000003)))))
                  (br_if $B11
                    (i32.ne
                      (i32.load8_u offset=268435456 (i32.shr_u (local.get $l10) (i32.const 12)))
                      (i32.const 5)))
                  (i32.store offset=360448 (local.get $l10) (local.get $l9))
                  (br $B10))
                (i32.store offset=32 (i32.const 0) (local.get $l8))
                (local.set $l4 (i32.const 0x80001004))
                (local.set $l3 (i32.const 1))
                (br $B5))
              (i32.store offset=32 (i32.const 0) (local.get $l8))
              (i32.store offset=136 (i32.const 0) (i32.const 0x80001008))
              (i32.store offset=16352 (i32.const 0) (i32.const 1))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > a load and a store of user code > code, IR and WebAssembly 1`] = `
0x401000: lb t0, 6(a0)
  %0 = i32.get +16
  %1 = i32.load8s [%0 + 6] checked
  i32.put +32, %1
0x401004: sw t0, 0(a1)
  %3 = i32.get +20
  %4 = i32.get +32
  store32 [%3 + 0], %4 checked
0x401008: break 0x0, which the interpreter does
  fault 9

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (i32.const 0x401000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (if $I9
                (i32.ne
                  (i32.load offset=32768
                    (local.tee $l7
                      (i32.and
                        (i32.shr_u
                          (local.tee $l5
                            (i32.add
                              (local.tee $l6 (i32.load offset=16 (i32.const 0)))
                              (i32.const 6)))
                          (i32.const 10))
                        (i32.const 4092))))
                  (i32.or (i32.and (local.get $l5) (i32.const -4096)) (local.get $context)))
                (then
                  (local.set $l4 (i32.const 0x401000))
                  (local.set $l3 (i32.const 2))
                  (br $B5)))
              (local.set $l8
                (i32.load8_s (i32.add (i32.load offset=40960 (local.get $l7)) (local.get $l5))))
              (local.set $l9 (local.get $l8))
              (local.set $l10 (local.get $l9))
              (block $B10
                (block $B11
                  (br_if $B11
                    (i32.ne
                      (i32.load offset=36864
                        (local.tee $l13
                          (i32.and
                            (i32.shr_u
                              (local.tee $l11 (local.tee $l12 (i32.load offset=20 (i32.const 0))))
                              (i32.const 10))
                            (i32.const 4092))))
                      (i32.or (i32.and (local.get $l11) (i32.const -4093)) (local.get $context))))
                  (i32.store
                    (i32.add (i32.load offset=40960 (local.get $l13)) (local.get $l11))
                    (local.get $l10))
                  (br $B10))
                (i32.store offset=32 (i32.const 0) (local.get $l9))
                (local.set $l4 (i32.const 0x401004))
                (local.set $l3 (i32.const 1))
                (br $B5))
              (i32.store offset=32 (i32.const 0) (local.get $l9))
              (i32.store offset=136 (i32.const 0) (i32.const 0x401008))
              (i32.store offset=16352 (i32.const 0) (i32.const 1))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > a load and a store that often miss the fast way > code, IR and WebAssembly 1`] = `
0x80001000: lhu t0, 6(a0)
  %0 = i32.get +16
  %1 = i32.load16u [%0 + 6] checked
  i32.put +32, %1
0x80001004: sw t0, 0(a1)
  %3 = i32.get +20
  %4 = i32.get +32
  store32 [%3 + 0], %4 checked
0x80001008: break 0x0, which the interpreter does
  fault 9

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(local.set $l5 (i32.const 50))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (local.set $l9
                (if $I9 (result i32)
                  (i32.eqz
                    (i32.eqz
                      (i32.and
                        (local.tee $l7
                          (i32.add
                            (local.tee $l8 (i32.load offset=16 (i32.const 0)))
                            (i32.const 0x80000006)))
                        (i32.const 0xff000001))))
                  (then
                    (if $I10
                      (i32.eqz
                        (call $env.load
                          (i32.add (local.get $l7) (i32.const 0x80000000))
                          (i32.const 16)
                          (local.get $context)
                          (i32.add (local.get $budget) (i32.const 2))))
                      (then
                        (local.set $l4 (i32.const 0x80001000))
                        (local.set $l3 (i32.const 2))
                        (br $B4)))
                    (i32.load offset=16360 (i32.const 0)))
                  (else
                    (i32.load16_u offset=360448 (local.get $l7)))))
              (local.set $l10 (local.get $l9))
              (local.set $l11 (local.get $l10))
              (block $B11
                (block $B12
                  (br_if $B12
                    (i32.eqz
                      (i32.eqz
                        (i32.and
                          (local.tee $l12
                            (i32.xor
                              (local.tee $l13 (i32.load offset=20 (i32.const 0)))
                              (i32.const 0x80000000)))
                          (i32.const 0xff000003)))))
                  (br_if $B12
                    (i32.ne
                      (i32.load8_u offset=268435456 (i32.shr_u (local.get $l12) (i32.const 12)))
                      (i32.const 5)))
                  (i32.store offset=360448 (local.get $l12) (local.get $l11))
                  (local.set $l6 (i32.const 0))
                  (br $B11))
                (if $I13
                  (i32.eqz
                    (call $env.store
                      (i32.add (local.get $l12) (i32.const 0x80000000))
                      (local.get $l11)
                      (i32.const 32)
                      (local.get $context)
                      (i32.add (local.get $budget) (i32.const 1))))
                  (then
                    (i32.store offset=32 (i32.const 0) (local.get $l10))
                    (local.set $l4 (i32.const 0x80001004))
                    (local.set $l3 (i32.const 1))
                    (br $B4))))
              (i32.store offset=32 (i32.const 0) (local.get $l10))
              (i32.store offset=136 (i32.const 0) (i32.const 0x80001008))
              (i32.store offset=16352 (i32.const 0) (i32.const 1))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > a load in a delay slot > code, IR and WebAssembly 1`] = `
0x401000: beq t0, t1, 0x40100c
  %0 = i32.get +32
  %1 = i32.get +36
  %2 = i32.eq %0, %1
0x401004 (delay slot): lw t0, 0(a0)
  %3 = i32.get +16
  %4 = i32.load32u [%3 + 0] checked
  i32.put +32, %4
  branch %2 ? 0x40100c : 0x401008

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (i32.const 0x401000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (local.set $l7
                (i32.eq
                  (local.tee $l5 (i32.load offset=32 (i32.const 0)))
                  (local.tee $l6 (i32.load offset=36 (i32.const 0)))))
              (if $I9
                (i32.ne
                  (i32.load offset=32768
                    (local.tee $l10
                      (i32.and
                        (i32.shr_u
                          (local.tee $l8 (local.tee $l9 (i32.load offset=16 (i32.const 0))))
                          (i32.const 10))
                        (i32.const 4092))))
                  (i32.or (i32.and (local.get $l8) (i32.const -4093)) (local.get $context)))
                (then
                  (local.set $l4 (i32.const 0x401000))
                  (local.set $l3 (i32.const 2))
                  (br $B5)))
              (local.set $l11
                (i32.load (i32.add (i32.load offset=40960 (local.get $l10)) (local.get $l8))))
              (local.set $l5 (local.get $l11))
              (local.get $l7)
              (i32.store offset=32 (i32.const 0) (local.get $l5))
              (if $I10
                (then
                  (i32.store offset=136 (i32.const 0) (i32.const 0x40100c))
                  (br $B0)))
              (i32.store offset=136 (i32.const 0) (i32.const 0x401008))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > a loop of two blocks > code, IR and WebAssembly 1`] = `
0x80001000: beq t0, t1, 0x80001010
  %0 = i32.get +32
  %1 = i32.get +36
  %2 = i32.eq %0, %1
0x80001004 (delay slot): addiu t0, t0, 1
  %3 = i32.get +32
  %4 = i32.const 0x1
  %5 = i32.add %3, %4
  i32.put +32, %5
  branch %2 ? 0x80001010 : 0x80001008

0x80001008: beq zero, zero, 0x80001000
0x8000100c (delay slot): addu v0, v0, t0
  %0 = i32.get +8
  %1 = i32.get +32
  %2 = i32.add %0, %1
  i32.put +8, %2
  jump 0x80001000

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(local.set $l5 (i32.load offset=32 (i32.const 0)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (block $B8
                  (br_table $B8 $B7 (local.get $next)))
                (if $I9
                  (i32.lt_s (local.get $budget) (i32.const 2))
                  (then
                    (local.set $l4 (i32.const 0x80001000))
                    (br $B2)))
                (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
                (local.set $l7
                  (i32.eq (local.get $l5) (local.tee $l6 (i32.load offset=36 (i32.const 0)))))
                (local.set $l5 (i32.add (local.get $l5) (i32.const 1)))
                (if $I10
                  (local.get $l7)
                  (then
                    (i32.store offset=136 (i32.const 0) (i32.const 0x80001010))
                    (br $B0)))
                (br $B7))
              (if $I11
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (i32.const 0x80001008))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (local.set $l8
                (i32.add (local.tee $l8 (i32.load offset=8 (i32.const 0))) (local.get $l5)))
              (i32.store offset=8 (i32.const 0) (local.get $l8))
              (local.set $next (i32.const 0))
              (br $L6))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(i32.store offset=32 (i32.const 0) (local.get $l5))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > a write of Status > code, IR and WebAssembly 1`] = `
0x80001000: ori t0, t0, 0x1
  %0 = i32.get +32
  %1 = i32.const 0x1
  %2 = i32.or %0, %1
  i32.put +32, %2
0x80001004: mtc0 t0, Status
  %4 = i32.get +160
  fault 11 if %4
  %6 = i32.const 0x60
  %7 = i32.get +32
  %8 = call 3(%6, %7) -> i32
  look, then go to 0x80001008 if %8
0x80001008: addiu v0, zero, 1
  %10 = i32.const 0x0
  i32.put +8, %1
0x8000100c: break 0x0, which the interpreter does
  fault 9

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 3))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 3)))
              (local.set $l5
                (i32.or (local.tee $l5 (i32.load offset=32 (i32.const 0))) (i32.const 1)))
              (if $I9
                (i32.load offset=160 (i32.const 0))
                (then
                  (i32.store offset=32 (i32.const 0) (local.get $l5))
                  (local.set $l4 (i32.const 0x80001004))
                  (local.set $l3 (i32.const 2))
                  (br $B4)))
              (i32.store offset=16372 (i32.const 0) (i32.add (local.get $budget) (i32.const 2)))
              (call $env.helper
                (i32.const 3)
                (i32.const 96)
                (local.get $l5)
                (i32.const 0)
                (i32.const 0)
                (i32.const 0))
              (if $I10
                (i32.load offset=16368 (i32.const 0))
                (then
                  (i32.store offset=32 (i32.const 0) (local.get $l5))
                  (local.set $l4 (i32.const 0x80001004))
                  (local.set $l3 (i32.const 2))
                  (br $B4)))
              (local.set $l6)
              (if $I11
                (local.get $l6)
                (then
                  (local.set $budget (i32.add (local.get $budget) (i32.const 1)))
                  (i32.store offset=32 (i32.const 0) (local.get $l5))
                  (i32.store offset=136 (i32.const 0) (i32.const 0x80001008))
                  (i32.store offset=16352 (i32.const 0) (i32.const 3))
                  (br $B0)))
              (local.set $l7 (i32.const 1))
              (i32.store offset=32 (i32.const 0) (local.get $l5))
              (i32.store offset=8 (i32.const 0) (local.get $l7))
              (i32.store offset=136 (i32.const 0) (i32.const 0x8000100c))
              (i32.store offset=16352 (i32.const 0) (i32.const 1))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > an overflow that faults > code, IR and WebAssembly 1`] = `
0x80001000: lui v0, 0x1
  %0 = i32.const 0x10000
  i32.put +8, %0
0x80001004: add v0, a0, a1
  %2 = i32.get +16
  %3 = i32.get +20
  %4 = i32.add %2, %3
  %5 = i32.xor %2, %3
  %6 = i32.const 0xffffffff
  %7 = i32.xor %5, %6
  %8 = i32.xor %2, %4
  %9 = i32.and %7, %8
  %10 = i32.const 0x0
  %11 = i32.ltS %9, %10
  fault 12 if %11
  i32.put +8, %4
0x80001008: break 0x0, which the interpreter does
  fault 9

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (local.set $l5 (i32.const 0x10000))
              (local.set $l7 (local.tee $l6 (i32.load offset=16 (i32.const 0))))
              (local.set $l9 (local.tee $l8 (i32.load offset=20 (i32.const 0))))
              (local.set $l10 (i32.add (local.get $l7) (local.get $l9)))
              (if $I9
                (i32.lt_s
                  (i32.and
                    (i32.xor (i32.xor (local.get $l7) (local.get $l9)) (i32.const -1))
                    (i32.xor (local.get $l7) (local.get $l10)))
                  (i32.const 0))
                (then
                  (i32.store offset=8 (i32.const 0) (local.get $l5))
                  (local.set $l4 (i32.const 0x80001004))
                  (local.set $l3 (i32.const 1))
                  (br $B4)))
              (local.set $l5 (local.get $l10))
              (i32.store offset=8 (i32.const 0) (local.get $l5))
              (i32.store offset=136 (i32.const 0) (i32.const 0x80001008))
              (i32.store offset=16352 (i32.const 0) (i32.const 1))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > an unaligned load > code, IR and WebAssembly 1`] = `
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
0x80001008: break 0x0, which the interpreter does
  fault 9

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (local.set $l6 (local.tee $l5 (i32.load offset=16 (i32.const 0))))
              (if $I9
                (i32.eqz
                  (i32.eqz
                    (i32.and
                      (local.tee $l7
                        (i32.and
                          (local.tee $l8 (i32.add (local.get $l6) (i32.const 0x80000003)))
                          (i32.const -4)))
                      (i32.const 0xff000000))))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (local.set $l3 (i32.const 2))
                  (br $B5)))
              (local.set $l9 (i32.load offset=360448 (local.get $l7)))
              (local.set $l10
                (i32.shl
                  (i32.and (i32.add (local.get $l6) (i32.const 3)) (i32.const 3))
                  (i32.const 3)))
              (local.set $l11
                (i32.or
                  (i32.shl (local.get $l9) (i32.sub (i32.const 24) (local.get $l10)))
                  (i32.and
                    (local.tee $l11 (i32.load offset=32 (i32.const 0)))
                    (i32.shr_u (i32.const 0xffffff) (local.get $l10)))))
              (local.set $l12 (local.get $l5))
              (if $I10
                (i32.eqz
                  (i32.eqz
                    (i32.and
                      (local.tee $l13
                        (i32.and
                          (local.tee $l14 (i32.xor (local.get $l12) (i32.const 0x80000000)))
                          (i32.const -4)))
                      (i32.const 0xff000000))))
                (then
                  (i32.store offset=32 (i32.const 0) (local.get $l11))
                  (local.set $l4 (i32.const 0x80001004))
                  (local.set $l3 (i32.const 1))
                  (br $B5)))
              (local.set $l15 (i32.load offset=360448 (local.get $l13)))
              (local.set $l16 (i32.shl (i32.and (local.get $l12) (i32.const 3)) (i32.const 3)))
              (local.set $l11
                (i32.or
                  (i32.shr_u (local.get $l15) (local.get $l16))
                  (i32.and
                    (local.get $l11)
                    (i32.shl (i32.const -256) (i32.sub (i32.const 24) (local.get $l16))))))
              (i32.store offset=32 (i32.const 0) (local.get $l11))
              (i32.store offset=136 (i32.const 0) (i32.const 0x80001008))
              (i32.store offset=16352 (i32.const 0) (i32.const 1))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > arithmetic with constants > code, IR and WebAssembly 1`] = `
0x80001000: lui t0, 0x1234
  %0 = i32.const 0x12340000
  i32.put +32, %0
0x80001004: ori t0, t0, 0x5678
  %2 = i32.get +32
  %3 = i32.const 0x5678
  %4 = i32.or %2, %3
  i32.put +32, %4
0x80001008: addiu sp, sp, -32
  %6 = i32.get +116
  %7 = i32.const 0xffffffe0
  %8 = i32.add %6, %7
  i32.put +116, %8
0x8000100c: subu v0, t0, a0
  %10 = i32.get +32
  %11 = i32.get +16
  %12 = i32.sub %10, %11
  i32.put +8, %12
0x80001010: break 0x0, which the interpreter does
  fault 9

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 4))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 4)))
              (local.set $l5 (i32.const 0x12340000))
              (local.set $l5 (i32.or (local.get $l5) (i32.const 0x5678)))
              (local.set $l6
                (i32.add (local.tee $l6 (i32.load offset=116 (i32.const 0))) (i32.const -32)))
              (local.set $l8
                (i32.sub (local.get $l5) (local.tee $l7 (i32.load offset=16 (i32.const 0)))))
              (i32.store offset=32 (i32.const 0) (local.get $l5))
              (i32.store offset=116 (i32.const 0) (local.get $l6))
              (i32.store offset=8 (i32.const 0) (local.get $l8))
              (i32.store offset=136 (i32.const 0) (i32.const 0x80001010))
              (i32.store offset=16352 (i32.const 0) (i32.const 1))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > code of a relative page > code, IR and WebAssembly 1`] = `
0x0: bgezal a0, 0x8
  %0 = i32.const 0x0
  %1 = i32.get +16
  %2 = i32.leS %0, %1
  %3 = address 0x8
  i32.put +124, %3
0x4 (delay slot): addiu a0, a0, -1
  %5 = i32.get +16
  %6 = i32.const 0xffffffff
  %7 = i32.add %5, %6
  i32.put +16, %7
  branch %2 ? 0x8 : 0x8

(local.set $l5 (i32.and (i32.load offset=136 (i32.const 0)) (i32.const -4096)))
(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (local.get $l5))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (local.set $l7
                (i32.le_s (i32.const 0) (local.tee $l6 (i32.load offset=16 (i32.const 0)))))
              (local.set $l8 (i32.add (i32.const 8) (local.get $l5)))
              (local.set $l6 (i32.add (local.get $l6) (i32.const -1)))
              (local.get $l7)
              (i32.store offset=124 (i32.const 0) (local.get $l8))
              (i32.store offset=16 (i32.const 0) (local.get $l6))
              (if $I9
                (then
                  (i32.store offset=136 (i32.const 0) (i32.add (i32.const 8) (local.get $l5)))
                  (br $B0)))
              (i32.store offset=136 (i32.const 0) (i32.add (i32.const 8) (local.get $l5)))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > interrupts off and on > code, IR and WebAssembly 1`] = `
0x80001000: di t0
  %0 = i32.get +160
  fault 11 if %0
  %2 = i32.get +1408
  %3 = i32.const 0xfffffffe
  %4 = i32.and %2, %3
  i32.put +1408, %4
  i32.put +32, %2
0x80001004: ei zero
  %7 = i32.get +1408
  %8 = i32.const 0x1
  %9 = i32.or %7, %8
  i32.put +1408, %9
  %11 = i32.get +1440
  %12 = i32.and %11, %9
  %13 = i32.const 0xff00
  %14 = i32.and %12, %13
  %15 = i32.const 0x6
  %16 = i32.and %9, %15
  %17 = i32.const 0x0
  %18 = i32.ne %14, %17
  %19 = i32.eq %16, %17
  %20 = i32.and %18, %19
  look, then go to 0x80001008 if %20
0x80001008: break 0x0, which the interpreter does
  fault 9

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 2))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 2)))
              (if $I9
                (i32.load offset=160 (i32.const 0))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (local.set $l3 (i32.const 2))
                  (br $B4)))
              (local.set $l5 (i32.load offset=1408 (i32.const 0)))
              (i32.store offset=1408 (i32.const 0) (i32.and (local.get $l5) (i32.const -2)))
              (local.set $l6 (local.get $l5))
              (local.set $l7 (i32.or (i32.load offset=1408 (i32.const 0)) (i32.const 1)))
              (i32.store offset=1408 (i32.const 0) (local.get $l7))
              (if $I10
                (i32.and
                  (i32.ne
                    (i32.and
                      (i32.and (i32.load offset=1440 (i32.const 0)) (local.get $l7))
                      (i32.const 0xff00))
                    (i32.const 0))
                  (i32.eq (i32.and (local.get $l7) (i32.const 6)) (i32.const 0)))
                (then
                  (i32.store offset=32 (i32.const 0) (local.get $l6))
                  (i32.store offset=136 (i32.const 0) (i32.const 0x80001008))
                  (i32.store offset=16352 (i32.const 0) (i32.const 3))
                  (br $B0)))
              (i32.store offset=32 (i32.const 0) (local.get $l6))
              (i32.store offset=136 (i32.const 0) (i32.const 0x80001008))
              (i32.store offset=16352 (i32.const 0) (i32.const 1))
              (br $B0))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > load linked, store conditional > code, IR and WebAssembly 1`] = `
0x80001000: ll t0, 0(a0)
  %0 = i32.get +16
  %1 = i32.const 0x0
  %2 = call 0(%0) -> i32
  i32.put +32, %2
0x80001004: addiu t0, t0, 1
  %4 = i32.get +32
  %5 = i32.const 0x1
  %6 = i32.add %4, %5
  i32.put +32, %6
0x80001008: sc t0, 0(a0)
  %8 = i32.get +16
  %9 = i32.get +32
  %10 = call 1(%8, %9) -> i32
  i32.put +32, %10
0x8000100c: beq t0, zero, 0x80001000
  %12 = i32.get +32
  %13 = i32.eq %12, %1
0x80001010 (delay slot): nop
  branch %13 ? 0x80001000 : 0x80001014

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 5))
                (then
                  (local.set $l4 (i32.const 0x80001000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 5)))
              (drop (local.tee $l5 (i32.load offset=16 (i32.const 0))))
              (drop (local.tee $l6 (i32.load offset=32 (i32.const 0))))
              (loop $L9
                (local.set $l8 (local.get $l5))
                (block $B10
                  (block $B11
                    (br_if $B11
                      (i32.and
                        (local.tee $l9 (i32.xor (local.get $l8) (i32.const 0x80000000)))
                        (i32.const 0xff000003)))
                    (local.set $l7 (i32.load offset=360448 (local.get $l9)))
                    (local.set $l10
                      (i32.shr_u (i32.add (local.get $l8) (i32.const 0x80000000)) (i32.const 4)))
                    (local.set $l11 (i32.const 1))
                    (i32.store offset=148 (i32.const 0) (local.tee $l12 (local.get $l11)))
                    (i32.store offset=1568 (i32.const 0) (local.tee $l13 (local.get $l10)))
                    (br $B10))
                  (i32.store offset=16372 (i32.const 0) (i32.add (local.get $budget) (i32.const 5)))
                  (call $env.helper
                    (i32.const 0)
                    (local.get $l8)
                    (i32.const 0)
                    (i32.const 0)
                    (i32.const 0)
                    (i32.const 0))
                  (if $I12
                    (i32.load offset=16368 (i32.const 0))
                    (then
                      (i32.store offset=32 (i32.const 0) (local.get $l6))
                      (local.set $l4 (i32.const 0x80001000))
                      (local.set $l3 (i32.const 5))
                      (br $B4)))
                  (local.set $l7)
                  (local.set $l12 (i32.load offset=148 (i32.const 0)))
                  (local.set $l13 (i32.load offset=1568 (i32.const 0))))
                (local.set $l6 (local.get $l7))
                (local.set $l6 (i32.add (local.get $l6) (i32.const 1)))
                (local.set $l10 (local.get $l5))
                (local.set $l11 (local.get $l6))
                (block $B13
                  (block $B14
                    (br_if $B14 (i32.eqz (local.get $l12)))
                    (br_if $B14
                      (i32.and
                        (local.tee $l14 (i32.xor (local.get $l10) (i32.const 0x80000000)))
                        (i32.const 0xff000003)))
                    (br_if $B14
                      (i32.ne
                        (i32.load8_u offset=268435456 (i32.shr_u (local.get $l14) (i32.const 12)))
                        (i32.const 5)))
                    (i32.store offset=360448 (local.get $l14) (local.get $l11))
                    (local.set $l9 (i32.const 1))
                    (local.set $l15 (i32.const 0))
                    (i32.store offset=148 (i32.const 0) (local.tee $l12 (local.get $l15)))
                    (br $B13))
                  (i32.store offset=16372 (i32.const 0) (i32.add (local.get $budget) (i32.const 3)))
                  (call $env.helper
                    (i32.const 1)
                    (local.get $l10)
                    (local.get $l11)
                    (i32.const 0)
                    (i32.const 0)
                    (i32.const 0))
                  (if $I15
                    (i32.load offset=16368 (i32.const 0))
                    (then
                      (i32.store offset=32 (i32.const 0) (local.get $l6))
                      (local.set $l4 (i32.const 0x80001008))
                      (local.set $l3 (i32.const 3))
                      (br $B4)))
                  (local.set $l9)
                  (local.set $l12 (i32.load offset=148 (i32.const 0))))
                (local.set $l6 (local.get $l9))
                (if $I16
                  (i32.eq (local.get $l6) (i32.const 0))
                  (then
                    (if $I17
                      (i32.lt_s (local.get $budget) (i32.const 5))
                      (then
                        (i32.store offset=32 (i32.const 0) (local.get $l6))
                        (local.set $l4 (i32.const 0x80001000))
                        (br $B2)))
                    (local.set $budget (i32.sub (local.get $budget) (i32.const 5)))
                    (br $L9)))
                (i32.store offset=32 (i32.const 0) (local.get $l6))
                (i32.store offset=136 (i32.const 0) (i32.const 0x80001014))
                (br $B0))
              (unreachable))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`

exports[`cpu-node/translator/golden.test.ts > TAP > load linked, store conditional in mapped memory > code, IR and WebAssembly 1`] = `
0x401000: ll t0, 0(a0)
  %0 = i32.get +16
  %1 = i32.const 0x0
  %2 = call 0(%0) -> i32
  i32.put +32, %2
0x401004: addiu t0, t0, 1
  %4 = i32.get +32
  %5 = i32.const 0x1
  %6 = i32.add %4, %5
  i32.put +32, %6
0x401008: sc t0, 0(a0)
  %8 = i32.get +16
  %9 = i32.get +32
  %10 = call 1(%8, %9) -> i32
  i32.put +32, %10
0x40100c: beq t0, zero, 0x401000
  %12 = i32.get +32
  %13 = i32.eq %12, %1
0x401010 (delay slot): nop
  branch %13 ? 0x401000 : 0x401014

(local.set $next (i32.and (local.get $next) (i32.const 255)))
(block $B0
  (block $B1
    (block $B2
      (block $B3
        (block $B4
          (block $B5
            (loop $L6
              (block $B7
                (br_table $B7 (local.get $next)))
              (if $I8
                (i32.lt_s (local.get $budget) (i32.const 5))
                (then
                  (local.set $l4 (i32.const 0x401000))
                  (br $B2)))
              (local.set $budget (i32.sub (local.get $budget) (i32.const 5)))
              (drop (local.tee $l5 (i32.load offset=16 (i32.const 0))))
              (drop (local.tee $l6 (i32.load offset=32 (i32.const 0))))
              (loop $L9
                (local.set $l8 (local.get $l5))
                (block $B10
                  (block $B11
                    (br_if $B11
                      (i32.ne
                        (i32.load offset=32768
                          (local.tee $l9
                            (i32.and (i32.shr_u (local.get $l8) (i32.const 10)) (i32.const 4092))))
                        (i32.or (i32.and (local.get $l8) (i32.const -4093)) (local.get $context))))
                    (local.set $l7
                      (i32.load
                        (local.tee $l10
                          (i32.add (i32.load offset=40960 (local.get $l9)) (local.get $l8)))))
                    (br_if $B11
                      (i32.le_s
                        (local.tee $l11
                          (i32.load offset=402653184
                            (i32.shl
                              (i32.shr_u
                                (i32.sub (local.get $l10) (i32.const 0x58000))
                                (i32.const 12))
                              (i32.const 2))))
                        (i32.const 0)))
                    (local.set $l12
                      (i32.shr_u
                        (i32.or
                          (i32.shl (i32.sub (local.get $l11) (i32.const 1)) (i32.const 12))
                          (i32.and (local.get $l8) (i32.const 4095)))
                        (i32.const 4)))
                    (local.set $l13 (i32.const 1))
                    (i32.store offset=148 (i32.const 0) (local.tee $l14 (local.get $l13)))
                    (i32.store offset=1568 (i32.const 0) (local.tee $l15 (local.get $l12)))
                    (br $B10))
                  (i32.store offset=16372 (i32.const 0) (i32.add (local.get $budget) (i32.const 5)))
                  (call $env.helper
                    (i32.const 0)
                    (local.get $l8)
                    (i32.const 0)
                    (i32.const 0)
                    (i32.const 0)
                    (i32.const 0))
                  (if $I12
                    (i32.load offset=16368 (i32.const 0))
                    (then
                      (i32.store offset=32 (i32.const 0) (local.get $l6))
                      (local.set $l4 (i32.const 0x401000))
                      (local.set $l3 (i32.const 5))
                      (br $B4)))
                  (local.set $l7)
                  (local.set $l14 (i32.load offset=148 (i32.const 0)))
                  (local.set $l15 (i32.load offset=1568 (i32.const 0))))
                (local.set $l6 (local.get $l7))
                (local.set $l6 (i32.add (local.get $l6) (i32.const 1)))
                (local.set $l10 (local.get $l5))
                (local.set $l11 (local.get $l6))
                (block $B13
                  (block $B14
                    (br_if $B14 (i32.eqz (local.get $l14)))
                    (br_if $B14
                      (i32.ne
                        (i32.load offset=36864
                          (local.tee $l12
                            (i32.and (i32.shr_u (local.get $l10) (i32.const 10)) (i32.const 4092))))
                        (i32.or (i32.and (local.get $l10) (i32.const -4093)) (local.get $context))))
                    (i32.store
                      (i32.add (i32.load offset=40960 (local.get $l12)) (local.get $l10))
                      (local.get $l11))
                    (local.set $l9 (i32.const 1))
                    (local.set $l13 (i32.const 0))
                    (i32.store offset=148 (i32.const 0) (local.tee $l14 (local.get $l13)))
                    (br $B13))
                  (i32.store offset=16372 (i32.const 0) (i32.add (local.get $budget) (i32.const 3)))
                  (call $env.helper
                    (i32.const 1)
                    (local.get $l10)
                    (local.get $l11)
                    (i32.const 0)
                    (i32.const 0)
                    (i32.const 0))
                  (if $I15
                    (i32.load offset=16368 (i32.const 0))
                    (then
                      (i32.store offset=32 (i32.const 0) (local.get $l6))
                      (local.set $l4 (i32.const 0x401008))
                      (local.set $l3 (i32.const 3))
                      (br $B4)))
                  (local.set $l9)
                  (local.set $l14 (i32.load offset=148 (i32.const 0))))
                (local.set $l6 (local.get $l9))
                (if $I16
                  (i32.eq (local.get $l6) (i32.const 0))
                  (then
                    (if $I17
                      (i32.lt_s (local.get $budget) (i32.const 5))
                      (then
                        (i32.store offset=32 (i32.const 0) (local.get $l6))
                        (local.set $l4 (i32.const 0x401000))
                        (br $B2)))
                    (local.set $budget (i32.sub (local.get $budget) (i32.const 5)))
                    (br $L9)))
                (i32.store offset=32 (i32.const 0) (local.get $l6))
                (i32.store offset=136 (i32.const 0) (i32.const 0x401014))
                (br $B0))
              (unreachable))
            (unreachable))
          (i32.store offset=16352 (i32.const 0) (i32.const 5))
          (br $B3))
        (i32.store offset=16352 (i32.const 0) (i32.const 1)))
      (local.set $budget (i32.add (local.get $budget) (local.get $l3)))
      (br $B1))
    (i32.store offset=16352 (i32.const 0) (i32.const 2)))
  (i32.store offset=136 (i32.const 0) (local.get $l4)))
(local.get $budget)

`
