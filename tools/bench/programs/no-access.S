/* The same without an access: what `message-access` and `polled-access` are compared with. */
#define ITERATIONS    500000000
#define INSTRUCTIONS  4
#include "harness.h"

loop:   move    $t2, $zero
next:   move    $t1, $s0
        addiu   $s0, $s0, -1
        bnez    $s0, next
        addu    $t2, $t2, $t1
        b       finished
        nop
