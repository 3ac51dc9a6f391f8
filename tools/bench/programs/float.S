/*
 * Floating point, double and single: additions, multiplications, divisions, conversions, and comparisons whose two ways
 * have the same number of instructions. All values stay between 0 and a few thousand.
 */
#define ITERATIONS    10000000
#define INSTRUCTIONS  (9 + 6 + 9 + 6 + 4)
#include "harness.h"

        .macro  lower format a b sum
        c.lt.\format \a, \b
        bc1f    1f
        addiu   $t0, $t0, 1
        add.\format \sum, \sum, \a
        b       2f
        nop
1:      add.\format \sum, \sum, \b
        addiu   $t1, $t1, 1
        nop
2:
        .endm

loop:   la      $t2, constants
        ldc1    $f0, 0($t2)
        ldc1    $f2, 8($t2)
        ldc1    $f4, 16($t2)
        lwc1    $f20, 24($t2)
        lwc1    $f22, 28($t2)
        lwc1    $f24, 32($t2)
        mov.d   $f6, $f0
        mov.d   $f8, $f4
        mov.s   $f26, $f20
        mov.s   $f28, $f24
next:   mul.d   $f6, $f6, $f2
        add.d   $f6, $f6, $f0
        div.d   $f8, $f8, $f4
        add.d   $f8, $f8, $f6
        sub.d   $f10, $f8, $f6
        mul.d   $f12, $f10, $f2
        add.d   $f12, $f12, $f0
        mul.d   $f14, $f12, $f2
        div.d   $f14, $f14, $f4
        lower   d $f10 $f14 $f14
        mul.s   $f26, $f26, $f22
        add.s   $f26, $f26, $f20
        div.s   $f28, $f28, $f24
        add.s   $f28, $f28, $f26
        sub.s   $f30, $f28, $f26
        mul.s   $f16, $f30, $f22
        add.s   $f16, $f16, $f20
        mul.s   $f18, $f16, $f22
        div.s   $f18, $f18, $f24
        lower   s $f30 $f18 $f18
        cvt.s.d $f16, $f14
        addiu   $s0, $s0, -1
        bnez    $s0, next
        add.s   $f18, $f18, $f16
        b       finished
        nop

        .section .rodata
        .balign 8
constants:
        .double 1.0, 0.999, 1.5
        .float  1.0, 0.99, 1.25
