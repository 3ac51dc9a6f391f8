/*
 * A bare-metal program for the board dma-test: a copy that interrupts, a sum that is polled, a character typed and
 * printed, then off. It prints "dma ok", or what was wrong. Built for both byte orders (see the README beside it).
 */
#define POWER  0xbf000000
#define UART   0xbf000900
#define DMA    0xbf100000

#define SOURCE            0x00
#define DESTINATION       0x04
#define LENGTH            0x08
#define COMMAND           0x0c
#define STATUS            0x10
#define INTERRUPT_ENABLE  0x14
#define CHECKSUM          0x18
#define DELAY             0x1c

/* UART registers stand 8 bytes apart. */
#define RBR_THR  0x00
#define LSR      0x28

#define FROM   0x80020000
#define TO     0x80030000
#define BYTES  6001

        .set    noreorder
        .section .text.vectors
        .globl  general_exception
general_exception:                      /* 0x80000180: the only interrupt is the copy's end */
        li      $k0, DMA
        lw      $k1, STATUS($k0)
        sw      $k1, STATUS($k0)          /* clears DONE, and so the line */
        addiu   $s7, $s7, 1
        eret

        .section .text.start
        .globl  __start
__start:
        mfc0    $t0, $12                 /* vectors in RAM, hardware interrupt 0 (IP2) enabled */
        li      $t1, 0x00400000
        nor     $t1, $t1, $zero
        and     $t0, $t0, $t1
        ori     $t0, $t0, 0x0401
        mtc0    $t0, $12
        ehb
        li      $s0, DMA
        li      $s1, UART
        move    $s7, $zero

        /* Bytes 3, 10, 17, ... and their sum in $s2. */
        li      $t0, FROM
        li      $t1, BYTES
        li      $t2, 3
        move    $s2, $zero
fill:   sb      $t2, 0($t0)
        andi    $t3, $t2, 0xff
        addu    $s2, $s2, $t3
        addiu   $t2, $t2, 7
        addiu   $t1, $t1, -1
        bnez    $t1, fill
        addiu   $t0, $t0, 1

        /* The copy: wait for its interrupt. */
        li      $t0, FROM & 0x1fffffff
        sw      $t0, SOURCE($s0)
        li      $t0, TO & 0x1fffffff
        sw      $t0, DESTINATION($s0)
        li      $t0, BYTES
        sw      $t0, LENGTH($s0)
        li      $t0, 50000
        sw      $t0, DELAY($s0)
        li      $t0, 1
        sw      $t0, INTERRUPT_ENABLE($s0)
        sw      $t0, COMMAND($s0)
sleep:  wait
        beqz    $s7, sleep
        nop
        sw      $zero, INTERRUPT_ENABLE($s0)

        li      $t0, FROM
        li      $t1, TO
        li      $t2, BYTES
compare:
        lbu     $t3, 0($t0)
        lbu     $t4, 0($t1)
        la      $a0, copy_differs
        bne     $t3, $t4, print
        addiu   $t0, $t0, 1
        addiu   $t2, $t2, -1
        bnez    $t2, compare
        addiu   $t1, $t1, 1

        /* The sum of the copy: poll. */
        li      $t0, TO & 0x1fffffff
        sw      $t0, SOURCE($s0)
        li      $t0, 2
        sw      $t0, COMMAND($s0)
poll:   lw      $t0, STATUS($s0)
        andi    $t0, $t0, 2
        beqz    $t0, poll
        lw      $t1, CHECKSUM($s0)
        la      $a0, sum_differs
        bne     $t1, $s2, print
        nop

        /* A character typed. */
        la      $a0, type
        jal     puts
        nop
key:    lw      $t0, LSR($s1)
        andi    $t0, $t0, 1
        beqz    $t0, key
        nop
        lw      $t0, RBR_THR($s1)
        sw      $t0, RBR_THR($s1)
        la      $a0, all_is_well
print:  jal     puts
        nop
        li      $t0, POWER
        li      $t1, 0xff
        sw      $t1, 0($t0)
end:    b       end
        nop

puts:   lbu     $t0, 0($a0)
        beqz    $t0, done
        addiu   $a0, $a0, 1
        b       puts
        sw      $t0, RBR_THR($s1)
done:   jr      $ra
        nop

        .section .rodata
type:           .asciz "type: "
all_is_well:    .asciz "\ndma ok\n"
copy_differs:   .asciz "the copy differs\n"
sum_differs:    .asciz "the sum differs\n"
