/* Memory copy: 64 KiB from one buffer to another, eight words at a time, as a kernel's copy routine does. */
#define ITERATIONS    25000
#define BYTES         65536
#define ROUND_BYTES   32
#define INSTRUCTIONS  (BYTES / ROUND_BYTES * 20 + 6)
#define FROM          0x80100000
#define TO            0x80200000
#include "harness.h"

loop:   lui     $t8, FROM >> 16
        lui     $t9, TO >> 16
        ori     $a2, $zero, BYTES / ROUND_BYTES
round:  lw      $t0, 0($t8)
        lw      $t1, 4($t8)
        lw      $t2, 8($t8)
        lw      $t3, 12($t8)
        lw      $t4, 16($t8)
        lw      $t5, 20($t8)
        lw      $t6, 24($t8)
        lw      $t7, 28($t8)
        addiu   $a2, $a2, -1
        sw      $t0, 0($t9)
        sw      $t1, 4($t9)
        sw      $t2, 8($t9)
        sw      $t3, 12($t9)
        sw      $t4, 16($t9)
        sw      $t5, 20($t9)
        sw      $t6, 24($t9)
        sw      $t7, 28($t9)
        addiu   $t8, $t8, ROUND_BYTES
        bnez    $a2, round
        addiu   $t9, $t9, ROUND_BYTES
        addiu   $s0, $s0, -1
        bnez    $s0, loop
        nop
        b       finished
        nop
