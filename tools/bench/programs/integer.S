/* Integer arithmetic: an xorshift generator, a multiplicative hash of it, shifts, rotates and bit fields. */
#define ITERATIONS    200000000
#define INSTRUCTIONS  24
#include "harness.h"

loop:   li      $t0, 0x2545f491
        li      $t5, 0x9e3779b1
        move    $t6, $zero
        move    $t7, $zero
next:   sll     $t1, $t0, 13
        xor     $t0, $t0, $t1
        srl     $t1, $t0, 17
        xor     $t0, $t0, $t1
        sll     $t1, $t0, 5
        xor     $t0, $t0, $t1
        mul     $t2, $t0, $t5
        rotr    $t3, $t2, 11
        addu    $t6, $t6, $t3
        ext     $t4, $t6, 7, 12
        subu    $t7, $t7, $t4
        sltu    $t8, $t7, $t6
        addu    $t6, $t6, $t8
        nor     $t9, $t6, $t7
        and     $t9, $t9, $t0
        or      $t7, $t7, $t9
        multu   $t0, $t7
        mfhi    $t1
        mflo    $t2
        xor     $t6, $t6, $t1
        addu    $t7, $t7, $t2
        addiu   $s0, $s0, -1
        bnez    $s0, next
        seb     $t8, $t6
        b       finished
        nop
