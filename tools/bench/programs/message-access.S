/* Two register accesses that are messages to a device: the UART's scratch register, written and read back. */
#define ITERATIONS    1000000
#define INSTRUCTIONS  5
#include "harness.h"

#define SCR    7

loop:   move    $t2, $zero
next:   sb      $s0, SCR($s7)
        lbu     $t1, SCR($s7)
        addiu   $s0, $s0, -1
        bnez    $s0, next
        addu    $t2, $t2, $t1
        b       finished
        nop
