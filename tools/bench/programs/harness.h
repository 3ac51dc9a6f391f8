/*
 * What every loop program begins with: it prints "loop begins", runs `loop` with the number of iterations in $s0, prints
 * "loop ends" and sleeps for ever. An exception prints "exception". The text goes to the first serial port of a Malta,
 * a 16550 at I/O port 0x3f8.
 *
 * A program defines ITERATIONS, INSTRUCTIONS (of one iteration), includes this, and goes on with `loop`, which may use
 * all registers but $s7, $sp and $ra, and ends with `b finished`. The header in .rodata tells the bench both numbers;
 * iterations are taken from there, so that a test can have fewer.
 */
#define UART   0xb80003f8
#define THR    0
#define LSR    5
#define THRE   0x20

#define CP0_STATUS  $12
/* Coprocessor 1 usable; vectors in RAM, 32-bit FPU registers, no interrupts. */
#define STATUS      0x20000000
#define FCSR        $31

        .set    noreorder
        .section .text.vectors
        .globl  general_exception
general_exception:
        la      $a0, exception_text
        jal     puts
        nop
sleep:  wait
        b       sleep
        nop

        .section .text.start
        .globl  __start
__start:
        li      $t0, STATUS
        mtc0    $t0, CP0_STATUS
        ehb
        ctc1    $zero, FCSR
        li      $s7, UART
        la      $sp, 0x800ffff0
        la      $a0, begin_text
        jal     puts
        nop
        la      $t0, header
        lw      $s0, 16($t0)
        b       loop
        nop
finished:
        la      $a0, end_text
        jal     puts
        nop
        b       sleep
        nop

puts:   lbu     $t0, 0($a0)
        beqz    $t0, printed
        addiu   $a0, $a0, 1
busy:   lbu     $t1, LSR($s7)
        andi    $t1, $t1, THRE
        beqz    $t1, busy
        nop
        b       puts
        sb      $t0, THR($s7)
printed:
        jr      $ra
        nop

        .section .rodata
        .balign 4
header: .ascii  "ananke loop 1   "
        .word   ITERATIONS
        .word   INSTRUCTIONS
begin_text:
        .asciz  "loop begins\n"
end_text:
        .asciz  "loop ends\n"
exception_text:
        .asciz  "exception\n"
        .balign 4

        .text
