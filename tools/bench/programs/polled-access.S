/* A register that is polled: register A of the real-time clock, which Linux reads until an update is in progress. */
#define ITERATIONS    40000000
#define INSTRUCTIONS  4
#include "harness.h"

#define RTC    0xb8000070
#define INDEX  0
#define DATA   1
#define REG_A  10

loop:   li      $s6, RTC
        li      $t0, REG_A
        sb      $t0, INDEX($s6)
        move    $t2, $zero
next:   lbu     $t1, DATA($s6)
        addiu   $s0, $s0, -1
        bnez    $s0, next
        addu    $t2, $t2, $t1
        b       finished
        nop
