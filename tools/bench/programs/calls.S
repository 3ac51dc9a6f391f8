/*
 * Calls and returns: a function without a stack frame, one with a frame that calls two others, and one called through a
 * pointer that alternates between two of the same length.
 */
#define ITERATIONS    35000000
#define INSTRUCTIONS  (5 + 2 + 11 + 2 * 3 + 6 + 3 + 3)
#include "harness.h"

loop:   la      $s1, pointers
        move    $s2, $zero
        move    $s3, $zero
next:   jal     leaf
        move    $a0, $s2
        jal     framed
        move    $a0, $v0
        addu    $s2, $s2, $v0
        xori    $s3, $s3, 4
        addu    $t0, $s1, $s3
        lw      $t9, 0($t0)
        jalr    $t9
        move    $a0, $s2
        addiu   $s0, $s0, -1
        bnez    $s0, next
        addu    $s2, $s2, $v0
        b       finished
        nop

leaf:   addiu   $v0, $a0, 1
        jr      $ra
        xor     $v0, $v0, $a0

framed: addiu   $sp, $sp, -16
        sw      $ra, 12($sp)
        jal     leaf
        sw      $s2, 8($sp)
        addu    $s2, $v0, $a0
        jal     leaf
        move    $a0, $s2
        lw      $ra, 12($sp)
        lw      $s2, 8($sp)
        jr      $ra
        addiu   $sp, $sp, 16

first:  sll     $v0, $a0, 1
        jr      $ra
        addiu   $v0, $v0, 3

second: srl     $v0, $a0, 1
        jr      $ra
        addiu   $v0, $v0, 5

        .section .rodata
        .balign 4
pointers:
        .word   first, second
