/*
 * Branches that depend on random data: four conditions and a jump through a table. Both ways of each condition, and all
 * cases of the table, have the same number of instructions, so that the count does not depend on the data.
 */
#define ITERATIONS    30000000
#define INSTRUCTIONS  (6 + 4 * 6 + 8 + 4 + 3)
#include "harness.h"

        .macro  condition bit
        andi    $t2, $t0, 1 << \bit
        beqz    $t2, 1f
        addiu   $t3, $t3, 1
        addu    $t4, $t4, $t0
        b       2f
        xor     $t5, $t5, $t4
1:      subu    $t4, $t4, $t0
        or      $t5, $t5, $t4
        addiu   $t6, $t6, 3
2:
        .endm

        .macro  case register
        addu    \register, \register, $t0
        xor     $t4, $t4, \register
        b       joined
        nop
        .endm

loop:   li      $t0, 0x2545f491
        la      $s1, table
next:   sll     $t1, $t0, 13
        xor     $t0, $t0, $t1
        srl     $t1, $t0, 17
        xor     $t0, $t0, $t1
        sll     $t1, $t0, 5
        xor     $t0, $t0, $t1
        condition 3
        condition 7
        condition 10
        condition 14
        srl     $t1, $t0, 20
        andi    $t1, $t1, 3
        sll     $t1, $t1, 2
        addu    $t1, $t1, $s1
        lw      $t1, 0($t1)
        addiu   $t7, $t7, 1
        jr      $t1
        xor     $t5, $t5, $t7
case0:  case    $s2
case1:  case    $s3
case2:  case    $s4
case3:  case    $s5
joined: addiu   $s0, $s0, -1
        bnez    $s0, next
        addu    $t6, $t6, $t3
        b       finished
        nop

        .section .rodata
        .balign 4
table:  .word   case0, case1, case2, case3
